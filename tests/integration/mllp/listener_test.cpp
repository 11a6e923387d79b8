// What a sender sees of the listener on sockets, with the real store.

#include "listener_fixture.hpp"

#include <thread>

namespace gantry::mllp {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

TEST_F(ListenerTest, AnswersOnlyAfterTheCommit) {
    begin();
    Blockade blockade(database);
    auto client = connect();
    ASSERT_TRUE(client.send_message(order("1")));
    blockade.wait_for(1);
    EXPECT_FALSE(client.answer(200ms).has_value());
    blockade.lift();
    EXPECT_EQ(verdict(client.answer()), "AA|1");
    EXPECT_EQ(count("hl7_message"), 1);
    EXPECT_EQ(count("outbox_message WHERE topic = 'gantry.hl7.orm'"), 1);
    EXPECT_EQ(count("job WHERE type = 'orders.import_hl7' AND queue = 'orders'"), 1);
    const auto rows = database.exec("SELECT raw, ack_code, facility FROM gantry.hl7_message");
    EXPECT_EQ(rows.front().bytes(0), order("1"));
    EXPECT_EQ(rows.front().get<std::string>(1), "AA");
    EXPECT_EQ(rows.front().get<std::string>(2), "NORTH");
}

TEST_F(ListenerTest, AnswersARepeatWithTheSameBytesAndWritesNothing) {
    begin();
    auto client = connect();
    client.send_message(order("1"));
    const auto first = client.answer();
    ASSERT_TRUE(first.has_value());
    auto later = connect();
    later.send_message(order("1"));
    EXPECT_EQ(later.answer(), first);
    // The same control id with another body is another message.
    later.send_message(order("1", "NTE|1||other\r"));
    EXPECT_EQ(verdict(later.answer()), "AA|1");
    EXPECT_EQ(count("hl7_message"), 2);
    EXPECT_EQ(count("outbox_message WHERE topic = 'gantry.hl7.orm'"), 2);
    EXPECT_EQ(count("job"), 2);
}

TEST_F(ListenerTest, StoresOnceWhatWasResetBeforeItsAnswer) {
    begin();
    Blockade blockade(database);
    auto client = connect();
    client.send_message(order("1"));
    blockade.wait_for(1);
    client.reset();
    blockade.lift();
    ASSERT_TRUE(wait_until_counted("hl7_message", 1));
    auto again = connect();
    again.send_message(order("1"));
    EXPECT_EQ(verdict(again.answer()), "AA|1");
    EXPECT_EQ(count("outbox_message WHERE topic = 'gantry.hl7.orm'"), 1);
}

TEST_F(ListenerTest, AnswersFramesOfOneWriteInTheirOrder) {
    begin();
    auto client = connect();
    std::string bytes = "j\x0Bu n k\x1C x";
    for (int i = 1; i <= 8; ++i) {
        bytes += hl7::encode_frame(order(std::to_string(i))) + (i % 2 == 0 ? "\r\n" : "");
    }
    client.send(bytes);
    // What the junk's 0B began is never answered and swallows no neighbour.
    for (int i = 1; i <= 8; ++i) {
        EXPECT_EQ(verdict(client.answer()), "AA|" + std::to_string(i));
    }
    EXPECT_THAT(stored(), ElementsAre("1", "2", "3", "4", "5", "6", "7", "8"));
}

TEST_F(ListenerTest, AnswersNineOfTenAroundABrokenFrame) {
    begin();
    for (const std::string broken : {"garbage", "MSH|^~\\&|A\x0B|B", "MSH|^~\\&|A\x1C|B"}) {
        auto client = connect();
        std::string bytes;
        for (int i = 0; i < 10; ++i) {
            bytes += hl7::encode_frame(i == 4 ? broken : order(std::to_string(i)));
        }
        client.send(bytes);
        int accepted = 0;
        for (int i = 0; i < 10; ++i) {
            accepted += verdict(client.answer()).starts_with("AA") ? 1 : 0;
        }
        EXPECT_EQ(accepted, 9);
    }
    EXPECT_TRUE(wait_until_counted("hl7_quarantine", 3));
    EXPECT_EQ(count("hl7_message"), 9);
}

TEST_F(ListenerTest, TakesMessagesByteByByte) {
    begin();
    auto client = connect();
    for (int i = 0; i < 5; ++i) {
        const auto frame = hl7::encode_frame(order(std::to_string(i)));
        for (const char byte : frame) {
            ASSERT_TRUE(client.send({&byte, 1}));
        }
        EXPECT_EQ(verdict(client.answer()), "AA|" + std::to_string(i));
    }
    EXPECT_EQ(count("hl7_message"), 5);
}

TEST_F(ListenerTest, QuarantinesAFrameThatTheSenderCuts) {
    begin();
    const auto frame = hl7::encode_frame(order("1"));
    auto client = connect();
    client.send(frame.substr(0, frame.size() / 2));
    client.close();
    ASSERT_TRUE(wait_until_counted("hl7_quarantine", 1));
    const auto rows = database.exec("SELECT reason, bytes, truncated FROM gantry.hl7_quarantine");
    EXPECT_EQ(rows.front().get<std::string>(0), "cut");
    EXPECT_EQ(rows.front().bytes(1), frame.substr(1, frame.size() / 2 - 1));
    EXPECT_FALSE(rows.front().get<bool>(2));
    // A late rest is no message either.
    auto late = connect();
    late.send(frame.substr(frame.size() / 2));
    late.send(hl7::encode_frame(order("2")));
    EXPECT_EQ(verdict(late.answer()), "AA|2");
    EXPECT_EQ(count("hl7_message"), 1);
}

TEST_F(ListenerTest, AnswersASenderThatClosedItsSide) {
    begin();
    auto client = connect();
    client.send_message(order("1"));
    client.finish();
    EXPECT_EQ(verdict(client.answer()), "AA|1");
    EXPECT_TRUE(client.ended());
}

TEST_F(ListenerTest, SaysNothingOfConnectionsThatOnlyCloseOrReset) {
    const logging::Capture log;
    begin();
    const auto before = log.text();
    for (int i = 0; i < 10; ++i) {
        connect().close();
        connect().reset();
    }
    auto client = connect();
    client.send_message(order("1"));
    EXPECT_EQ(verdict(client.answer()), "AA|1");
    EXPECT_EQ(log.text(), before);
}

TEST_F(ListenerTest, TakesLargeMessagesAndRefusesLargerOnes) {
    options.max_frame_size = ByteSize{std::uint64_t{2} << 20U};
    begin();
    auto client = connect();
    const auto large = order("1", "NTE|1||" + std::string(1'500'000, 'x') + '\r');
    client.send_message(large);
    EXPECT_EQ(verdict(client.answer()), "AA|1");
    client.send_message(order("2", "NTE|1||" + std::string(3'000'000, 'x') + '\r'));
    EXPECT_TRUE(verdict(client.answer()).starts_with("AR|2"));
    client.send_message(order("3"));
    EXPECT_EQ(verdict(client.answer()), "AA|3");
    const auto rows = database.exec(
        "SELECT m.payload, m.headers->>'ce_dataref' FROM gantry.outbox_message m JOIN "
        "gantry.hl7_message h ON h.outbox_id = m.id ORDER BY m.id");
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows.front().bytes(0), "");
    EXPECT_TRUE(rows.front().get<std::string>(1).starts_with("/v1/hl7/messages/"));
}

TEST_F(ListenerTest, ServesAHundredConnectionsAtATime) {
    begin();
    std::vector<MllpClient> clients;
    for (int i = 0; i < 100; ++i) {
        clients.push_back(connect());
    }
    for (int round = 0; round < 5; ++round) {
        for (std::size_t i = 0; i < clients.size(); ++i) {
            ASSERT_TRUE(
                clients[i].send_message(order(std::to_string(i) + '.' + std::to_string(round))));
        }
        for (std::size_t i = 0; i < clients.size(); ++i) {
            ASSERT_EQ(verdict(clients[i].answer()),
                      "AA|" + std::to_string(i) + '.' + std::to_string(round));
        }
    }
    EXPECT_EQ(count("hl7_message"), 500);
    EXPECT_EQ(count("job"), 500);
}

}  // namespace
}  // namespace gantry::mllp
