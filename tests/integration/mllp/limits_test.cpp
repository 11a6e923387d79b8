// The listener's limits: connections, memory, time.

#include "listener_fixture.hpp"

namespace gantry::mllp {
namespace {

using namespace std::chrono_literals;

TEST_F(ListenerTest, ClosesConnectionsPastItsLimit) {
    options.max_connections = 2;
    begin();
    auto first = connect();
    auto second = connect();
    first.send_message(order("1"));
    EXPECT_EQ(verdict(first.answer()), "AA|1");
    second.send_message(order("2"));
    EXPECT_EQ(verdict(second.answer()), "AA|2");
    auto third = connect();
    EXPECT_TRUE(third.ended());
    first.send_message(order("3"));
    EXPECT_EQ(verdict(first.answer()), "AA|3");
    // One that leaves makes room.
    second.finish();
    EXPECT_TRUE(second.ended());
    second.close();
    for (int attempt = 0; attempt < 100; ++attempt) {
        auto next = connect();
        next.send_message(order("4"));
        if (verdict(next.answer()) == "AA|4") {
            return;
        }
    }
    FAIL() << "no room was made";
}

TEST_F(ListenerTest, ClosesConnectionsPastAPeersLimit) {
    options.max_connections_per_peer = 1;
    begin();
    auto first = connect();
    first.send_message(order("1"));
    EXPECT_EQ(verdict(first.answer()), "AA|1");
    EXPECT_TRUE(connect().ended());
    first.send_message(order("2"));
    EXPECT_EQ(verdict(first.answer()), "AA|2");
}

TEST_F(ListenerTest, EndsAFrameThatStopsComing) {
    options.read_timeout = 300ms;
    begin();
    auto client = connect();
    client.send("\x0BMSH|^~\\&|A|B");
    EXPECT_TRUE(client.ended());
    EXPECT_TRUE(wait_until_counted("hl7_quarantine WHERE reason = 'cut'", 1));
    EXPECT_EQ(count("hl7_message"), 0);
    auto next = connect();
    next.send_message(order("1"));
    EXPECT_EQ(verdict(next.answer()), "AA|1");
}

TEST_F(ListenerTest, EndsAnIdleConnection) {
    options.idle_timeout = 300ms;
    begin();
    auto client = connect();
    EXPECT_TRUE(client.ended());
}

// What is kept of a refused frame is less than what was read, and still all of it is given back.
TEST_F(ListenerTest, GivesBackTheMemoryOfRefusedFrames) {
    options.max_buffered_size = ByteSize{std::uint64_t{1} << 20U};
    begin();
    auto client = connect();
    for (int i = 0; i < 20; ++i) {
        client.send_message(std::string(200'000, 'x'));
        ASSERT_EQ(verdict(client.answer(5s)), "AR") << i;
    }
    client.send_message(order("1"));
    EXPECT_EQ(verdict(client.answer(5s)), "AA|1");
}

TEST_F(ListenerTest, GoesOnWhenUnfinishedFramesFillItsMemory) {
    options.max_buffered_size = ByteSize{std::uint64_t{1} << 20U};
    begin();
    std::vector<MllpClient> hogs;
    for (int i = 0; i < 4; ++i) {
        hogs.push_back(connect());
        hogs.back().send("\x0BMSH|^~\\&|A|B|" + std::string(300'000, 'x'));
    }
    auto client = connect();
    client.send_message(order("1"));
    EXPECT_EQ(verdict(client.answer(10s)), "AA|1");
}

TEST_F(ListenerTest, ReadsOnWhenAConnectionThatFilledItsMemoryLeaves) {
    options.max_buffered_size = ByteSize{std::uint64_t{1} << 20U};
    begin();
    auto hog = connect();
    hog.send("\x0BMSH|^~\\&|A|B|" + std::string(1'200'000, 'x'));
    auto client = connect();
    client.send_message(order("1"));
    hog.reset();
    EXPECT_EQ(verdict(client.answer(10s)), "AA|1");
}

TEST_F(ListenerTest, StopsThoughAFrameNeverEnds) {
    begin();
    auto client = connect();
    client.send("\x0BMSH|^~\\&|A|B");
    auto other = connect();
    other.send_message(order("1"));
    EXPECT_EQ(verdict(other.answer()), "AA|1");
    EXPECT_TRUE(listener->stop(Deadline::after(3s)).has_value());
    EXPECT_TRUE(client.ended(1s));
    EXPECT_TRUE(wait_until_counted("hl7_quarantine WHERE reason = 'cut'", 1));
}

}  // namespace
}  // namespace gantry::mllp
