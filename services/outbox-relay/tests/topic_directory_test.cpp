#include "topic_directory.hpp"

#include "publisher.hpp"

#include <gtest/gtest.h>

namespace gantry::relay {
namespace {

using std::chrono::seconds;

class TopicDirectoryTest : public ::testing::Test {
protected:
    std::set<std::string> questions() {
        return directory_.take_questions(SteadyTime::min(), std::stop_token());
    }

    FakeClock clock_;
    TopicDirectory directory_{clock_};
};

TEST_F(TopicDirectoryTest, AsksOnceForATopicThatItDoesNotKnow) {
    EXPECT_EQ(directory_.look_up("a"), TopicState::unknown);
    EXPECT_EQ(directory_.look_up("a"), TopicState::unknown);
    EXPECT_EQ(questions(), std::set<std::string>{"a"});
    EXPECT_TRUE(questions().empty());
}

TEST_F(TopicDirectoryTest, KeepsAPresentTopicUntilItIsForgotten) {
    directory_.answer("a", TopicState::present);
    clock_.advance(seconds{100'000});
    EXPECT_EQ(directory_.look_up("a"), TopicState::present);
    EXPECT_TRUE(questions().empty());
    directory_.forget("a");
    EXPECT_EQ(directory_.look_up("a"), TopicState::unknown);
    EXPECT_EQ(questions(), std::set<std::string>{"a"});
}

TEST_F(TopicDirectoryTest, AsksAgainForATopicThatWasMissingAWhileAgo) {
    directory_.answer("a", TopicState::missing);
    EXPECT_EQ(directory_.look_up("a"), TopicState::missing);
    EXPECT_TRUE(questions().empty());
    clock_.advance(seconds{11});
    EXPECT_EQ(directory_.look_up("a"), TopicState::unknown);
    EXPECT_EQ(questions(), std::set<std::string>{"a"});
}

TEST_F(TopicDirectoryTest, AsksAgainWhatCouldNotBeAnswered) {
    EXPECT_EQ(directory_.look_up("a"), TopicState::unknown);
    directory_.put_back(questions());
    EXPECT_EQ(questions(), std::set<std::string>{"a"});
}

TEST_F(TopicDirectoryTest, CallsItsListenerAfterEachAnswer) {
    int calls = 0;
    directory_.on_answer([&](const std::string&, TopicState) { ++calls; });
    directory_.answer("a", TopicState::present);
    directory_.answer("b", TopicState::missing);
    EXPECT_EQ(calls, 2);
    directory_.on_answer({});
    directory_.answer("c", TopicState::present);
    EXPECT_EQ(calls, 2);
}

TEST_F(TopicDirectoryTest, StaysBoundedWhateverNamesAreAskedFor) {
    for (int i = 0; i <= 10'000; ++i) {
        directory_.answer("t" + std::to_string(i), TopicState::missing);
    }
    // The old ones are forgotten, which costs no more than a question.
    EXPECT_EQ(directory_.look_up("t10000"), TopicState::missing);
    EXPECT_EQ(directory_.look_up("t0"), TopicState::unknown);
}

TEST(Position, NamesLedgerRowsByIdAndWakeupsByTheirEvent) {
    kafka::Record record;
    record.headers = {{"ce_id", "019a/2"}};
    EXPECT_EQ(position_of(record, 7), "ledger:7");
    EXPECT_EQ(position_of(record, 0), "fast:019a/2");
    record.headers.clear();
    EXPECT_EQ(position_of(record, 0), "fast:");
}

}  // namespace
}  // namespace gantry::relay
