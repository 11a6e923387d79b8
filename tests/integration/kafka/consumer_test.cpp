#include "gantry/testing/offer.hpp"
#include "topics.hpp"

#include <gmock/gmock.h>

#include <set>

namespace gantry::kafka {
namespace {

using testing::Topics;

constexpr milliseconds kLimit{30'000};

void fill(Topics& topics, const std::string& topic, int from, int count, int partition = 0) {
    auto producer = topics.producer();
    for (int i = from; i < from + count; ++i) {
        ASSERT_TRUE(gantry::testing::offer(
            *producer, {topic, "k", std::to_string(i), {}, {}, partition}, [](const Delivery&) {}));
    }
    ASSERT_TRUE(producer->flush(Deadline::after(kLimit)));
}

std::vector<std::string> values(const std::vector<Message>& messages) {
    std::vector<std::string> list;
    for (const auto& message : messages) {
        list.push_back(message.value.value_or("null"));
    }
    return list;
}

/// Polls until the consumer holds `count` partitions.
bool await_assignment(Consumer& consumer, std::size_t count, milliseconds limit = kLimit) {
    const auto deadline = Deadline::after(limit);
    while (consumer.assignment().size() != count && !deadline.expired()) {
        const auto event = consumer.poll(milliseconds{50});
        if (const auto* assigned = std::get_if<Assigned>(&event)) {
            EXPECT_TRUE(consumer.assign(assigned->partitions));
        } else if (std::holds_alternative<Revoked>(event)) {
            EXPECT_TRUE(consumer.unassign());
        }
    }
    return consumer.assignment().size() == count;
}

TEST(KafkaConsumer, ReadsNothingBeforeItsAssignmentIsAnswered) {
    Topics topics;
    const auto topic = topics.create("assign", 2);
    fill(topics, topic, 0, 3);
    auto consumer = topics.consumer("g");
    ASSERT_TRUE(consumer->subscribe({topic}));
    std::optional<Assigned> assigned;
    const auto deadline = Deadline::after(kLimit);
    while (!assigned && !deadline.expired()) {
        auto event = consumer->poll(milliseconds{100});
        ASSERT_FALSE(std::holds_alternative<Message>(event));
        if (auto* got = std::get_if<Assigned>(&event)) {
            assigned = std::move(*got);
        }
    }
    ASSERT_TRUE(assigned);
    EXPECT_EQ(std::set(assigned->partitions.begin(), assigned->partitions.end()),
              (std::set<TopicPartition>{{topic, 0}, {topic, 1}}));
    EXPECT_TRUE(topics.take(*consumer, 1, milliseconds{300}).empty());
    ASSERT_TRUE(consumer->assign(assigned->partitions));
    EXPECT_EQ(values(topics.take(*consumer, 3)), (std::vector<std::string>{"0", "1", "2"}));
}

TEST(KafkaConsumer, GoesOnWithTheNextRecordAfterAPause) {
    Topics topics;
    const auto topic = topics.create("pause", 1);
    fill(topics, topic, 0, 200);
    auto consumer = topics.consumer("g");
    ASSERT_TRUE(consumer->subscribe({topic}));
    int next = 0;
    for (int round = 0; round < 5; ++round) {
        for (const auto& value : values(topics.take(*consumer, 7))) {
            ASSERT_EQ(value, std::to_string(next++));
        }
        consumer->pause();
        ASSERT_TRUE(topics.take(*consumer, 1, milliseconds{400}).empty());
        consumer->resume();
    }
    for (const auto& value : values(topics.take(*consumer, static_cast<std::size_t>(200 - next)))) {
        ASSERT_EQ(value, std::to_string(next++));
    }
    EXPECT_EQ(next, 200);
    EXPECT_TRUE(topics.take(*consumer, 1, milliseconds{300}).empty());
}

TEST(KafkaConsumer, CommitsWhatItIsToldAndNothingElse) {
    Topics topics;
    const auto topic = topics.create("commit", 1);
    fill(topics, topic, 0, 10);
    {
        auto consumer = topics.consumer("g");
        ASSERT_TRUE(consumer->subscribe({topic}));
        ASSERT_EQ(topics.take(*consumer, 10).size(), 10U);
        ASSERT_TRUE(consumer->commit({{topic, 0, 4}}, Deadline::after(kLimit)));
        ASSERT_TRUE(consumer->commit_async({{topic, 0, 6}}));
        std::optional<Committed> committed;
        const auto deadline = Deadline::after(kLimit);
        while (!committed && !deadline.expired()) {
            auto event = consumer->poll(milliseconds{100});
            if (auto* got = std::get_if<Committed>(&event)) {
                committed = std::move(*got);
            }
        }
        ASSERT_TRUE(committed);
        EXPECT_TRUE(committed->result);
        const auto stored = consumer->committed({{topic, 0}}, Deadline::after(kLimit));
        ASSERT_TRUE(stored);
        EXPECT_EQ(*stored, (std::vector<TopicPartitionOffset>{{topic, 0, 6}}));
        ASSERT_TRUE(consumer->close(Deadline::after(kLimit)));
        ASSERT_TRUE(consumer->close(Deadline::after(kLimit)));
    }
    auto again = topics.consumer("g");
    ASSERT_TRUE(again->subscribe({topic}));
    EXPECT_EQ(values(topics.take(*again, 4)), (std::vector<std::string>{"6", "7", "8", "9"}));
}

TEST(KafkaConsumer, SeeksAndStartsWhereItIsTold) {
    Topics topics;
    const auto topic = topics.create("seek", 1);
    fill(topics, topic, 0, 10);
    auto consumer = topics.consumer("g");
    ASSERT_TRUE(consumer->assign(std::vector<TopicPartitionOffset>{{topic, 0, 8}}));
    EXPECT_EQ(values(topics.take(*consumer, 2)), (std::vector<std::string>{"8", "9"}));
    ASSERT_TRUE(consumer->seek({topic, 0, 3}, Deadline::after(kLimit)));
    EXPECT_EQ(values(topics.take(*consumer, 1)), (std::vector<std::string>{"3"}));
}

TEST(KafkaConsumer, SharesPartitionsWithASecondMemberAndTakesThemOver) {
    Topics topics;
    const auto topic = topics.create("rebalance", 4);
    auto first = topics.consumer("g");
    ASSERT_TRUE(first->subscribe({topic}));
    ASSERT_TRUE(await_assignment(*first, 4));
    auto second = topics.consumer("g");
    ASSERT_TRUE(second->subscribe({topic}));
    const auto deadline = Deadline::after(kLimit);
    while ((first->assignment().size() != 2 || second->assignment().size() != 2) &&
           !deadline.expired()) {
        await_assignment(*first, 2, milliseconds{100});
        await_assignment(*second, 2, milliseconds{100});
    }
    std::set<TopicPartition> all;
    for (auto* consumer : {first.get(), second.get()}) {
        for (const auto& partition : consumer->assignment()) {
            EXPECT_TRUE(all.insert(partition).second);
        }
    }
    EXPECT_EQ(all.size(), 4U);
    ASSERT_TRUE(second->close(Deadline::after(kLimit)));
    EXPECT_TRUE(await_assignment(*first, 4));
}

TEST(KafkaConsumer, NoticesATopicThatAppearsLater) {
    Topics topics;
    const auto present = topics.create("present", 1);
    auto consumer = topics.consumer("g");
    ASSERT_TRUE(consumer->subscribe({present, topics.name("later")}));
    ASSERT_TRUE(await_assignment(*consumer, 1));
    const auto later = topics.create("later", 2);
    EXPECT_TRUE(await_assignment(*consumer, 3));
    fill(topics, later, 0, 1, 1);
    EXPECT_EQ(values(topics.take(*consumer, 1)), (std::vector<std::string>{"0"}));
}

TEST(KafkaConsumer, SaysThatAMissingTopicMayYetAppear) {
    Topics topics;
    auto consumer = topics.consumer("g");
    ASSERT_TRUE(consumer->subscribe({topics.name("absent")}));
    std::optional<Error> error;
    const auto deadline = Deadline::after(kLimit);
    while (!error && !deadline.expired()) {
        auto event = consumer->poll(milliseconds{100});
        if (auto* got = std::get_if<Error>(&event)) {
            error = std::move(*got);
        }
    }
    ASSERT_TRUE(error);
    EXPECT_TRUE(error->transient()) << error->message;
    EXPECT_EQ(error->reason, "UNKNOWN_TOPIC_OR_PART");
}

}  // namespace
}  // namespace gantry::kafka
