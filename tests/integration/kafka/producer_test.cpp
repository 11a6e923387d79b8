#include "gantry/testing/offer.hpp"
#include "topics.hpp"

#include <gmock/gmock.h>

#include <atomic>

namespace gantry::kafka {
namespace {

using testing::Topics;

TEST(KafkaProducer, KeepsKeyValueHeadersAndTimestamp) {
    Topics topics;
    const auto topic = topics.create("records", 1);
    auto producer = topics.producer();
    const Instant at{milliseconds{1'700'000'000'123}};
    const Headers headers = {
        {"a", "1"}, {"b", std::string("\0\xff", 2)}, {"a", ""}, {"n", std::nullopt}};
    const auto sent = topics.send(
        *producer, {topic, "key", std::string("\0binary\xfe", 8), headers, at, std::nullopt});
    EXPECT_EQ(sent.outcome, Outcome::acknowledged) << sent.error.message;
    EXPECT_EQ(sent.offset, 0);

    auto consumer = topics.consumer("reader");
    ASSERT_TRUE(consumer->subscribe({topic}));
    const auto got = topics.take(*consumer, 1);
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(got[0].key, "key");
    EXPECT_EQ(got[0].value, std::string("\0binary\xfe", 8));
    EXPECT_EQ(got[0].headers, headers);
    EXPECT_EQ(got[0].timestamp, at);
    EXPECT_EQ(got[0].header("a"), "");
}

TEST(KafkaProducer, KeepsNullAndEmptyApart) {
    Topics topics;
    const auto topic = topics.create("nulls", 1);
    auto producer = topics.producer();
    topics.send(*producer, {topic, std::nullopt, std::nullopt, {}, {}, {}});
    topics.send(*producer, {topic, "", "", {}, {}, {}});
    auto consumer = topics.consumer("reader");
    ASSERT_TRUE(consumer->subscribe({topic}));
    const auto got = topics.take(*consumer, 2);
    ASSERT_EQ(got.size(), 2U);
    EXPECT_EQ(got[0].key, std::nullopt);
    EXPECT_EQ(got[0].value, std::nullopt);
    EXPECT_EQ(got[1].key, "");
    EXPECT_EQ(got[1].value, "");
}

TEST(KafkaProducer, ChoosesPartitionsAsJvmClientsDo) {
    Topics topics;
    const auto topic = topics.create("partitions", 7);
    auto producer = topics.producer();
    for (const auto* key : {"21", "foobar", "a-little-bit-long-string", "abc", "\xc3\xa4", "0"}) {
        const auto sent = topics.send(*producer, {topic, key, "v", {}, {}, {}});
        EXPECT_EQ(sent.partition, partition_of(key, 7)) << key;
    }
    const auto sent = topics.send(*producer, {topic, "abc", "v", {}, {}, 6});
    EXPECT_EQ(sent.partition, 6);
}

TEST(KafkaProducer, KeepsOrderAcrossBatches) {
    Topics topics;
    const auto topic = topics.create("order", 1);
    auto producer = topics.producer();
    std::atomic<int> acknowledged{0};
    constexpr int kCount = 20'000;
    for (int i = 0; i < kCount; ++i) {
        ASSERT_TRUE(gantry::testing::offer(
            *producer, {topic, "k", std::to_string(i), {}, {}, {}}, [&](const Delivery& delivery) {
                acknowledged += delivery.outcome == Outcome::acknowledged;
            }));
    }
    ASSERT_TRUE(producer->flush(Deadline::after(milliseconds{30'000})));
    EXPECT_EQ(acknowledged, kCount);
    auto consumer = topics.consumer("reader");
    ASSERT_TRUE(consumer->subscribe({topic}));
    const auto got = topics.take(*consumer, kCount, milliseconds{60'000});
    ASSERT_EQ(got.size(), std::size_t{kCount});
    for (int i = 0; i < kCount; ++i) {
        ASSERT_EQ(got[static_cast<std::size_t>(i)].value, std::to_string(i));
    }
}

TEST(KafkaProducer, RefusesAnUnknownTopicForGood) {
    Topics topics;
    ProducerSettings settings;
    settings.unknown_topic_grace = milliseconds{500};
    auto producer = topics.producer(settings);
    const auto sent =
        topics.send(*producer, {topics.name("absent"), "k", "v", {{"h", "1"}}, {}, {}});
    EXPECT_EQ(sent.outcome, Outcome::refused);
    EXPECT_EQ(sent.error.code, Code::not_found);
}

TEST(KafkaProducer, RefusesARecordThatTheBrokerFindsTooLarge) {
    Topics topics;
    const auto topic = topics.create("large", 1);
    auto producer = topics.producer();
    const auto large =
        topics.send(*producer, {topic, "k", std::string(1'500'000, 'x'), {}, {}, {}});
    EXPECT_EQ(large.outcome, Outcome::refused) << large.error.message;
    EXPECT_EQ(large.error.reason, "MSG_SIZE_TOO_LARGE");
    const auto after =
        topics.send(*producer, {topic, "k", std::string(1'000'000, 'x'), {}, {}, {}});
    EXPECT_EQ(after.outcome, Outcome::acknowledged) << after.error.message;
    EXPECT_FALSE(producer->fatal());
    const auto own =
        producer->produce({topic, "k", std::string(3'000'000, 'x'), {}, {}, {}}, [](auto&) {});
    ASSERT_FALSE(own);
    EXPECT_EQ(own.error().code, Code::invalid_argument);
}

TEST(KafkaProducer, SaysWhenItsQueueIsFullAndEndsEveryRecordOnce) {
    Topics topics;
    ProducerSettings settings;
    settings.queue_records = 10;
    auto options = topics.options();
    options.brokers = "127.0.0.1:1";  // nobody listens
    std::atomic<int> unsent{0};
    int taken = 0;
    {
        auto producer = Producer::create(options, settings, topics.metrics());
        ASSERT_TRUE(producer);
        Error full;
        for (int i = 0; i < 20; ++i) {
            const auto result = (*producer)->produce(
                {"any." + std::to_string(i), "k", "v", {}, {}, {}}, [&](const Delivery& delivery) {
                    unsent += delivery.outcome == Outcome::unsent;
                    EXPECT_EQ(delivery.record->value, "v");
                });
            taken += result.has_value();
            if (!result) {
                full = result.error();
            }
        }
        EXPECT_EQ(taken, 10);
        EXPECT_EQ(full.code, Code::resource_exhausted);
        EXPECT_NE(full.reason, "FIRST_RECORD");
        const auto flushed = (*producer)->flush(Deadline::after(milliseconds{200}));
        ASSERT_FALSE(flushed);
        EXPECT_TRUE(flushed.error().transient());
    }
    EXPECT_EQ(unsent, 10);
}

TEST(KafkaProducer, CallsABrokerThatIsAwayTransient) {
    Topics topics;
    ProducerSettings settings;
    settings.delivery_timeout = milliseconds{1'000};
    auto options = topics.options();
    options.brokers = "127.0.0.1:1";
    auto producer = Producer::create(options, settings, topics.metrics());
    ASSERT_TRUE(producer);
    const auto sent = topics.send(**producer, {"any", "k", "v", {}, {}, {}});
    EXPECT_EQ(sent.outcome, Outcome::unsent);
    EXPECT_TRUE(sent.error.transient()) << sent.error.message;
    auto admin = Admin::create(options);
    ASSERT_TRUE(admin);
    const auto ping = (*admin)->ping(Deadline::after(milliseconds{300}));
    ASSERT_FALSE(ping);
    EXPECT_TRUE(ping.error().transient()) << ping.error().message;
}

TEST(KafkaProducer, APreparedTopicTakesRecordsAndAnUnknownOneHarmsNothing) {
    Topics topics;
    const auto topic = topics.create("prepared", 2);
    auto producer = topics.producer();
    producer->prepare(topic);
    producer->prepare(topic);
    producer->prepare(topics.name("never"));
    topics.send(*producer, {topic, "k", "v", {}, {}, {}});
    auto consumer = topics.consumer("g");
    ASSERT_TRUE(consumer->subscribe({topic}));
    EXPECT_EQ(topics.take(*consumer, 1).size(), 1U);
}

TEST(KafkaAdmin, CreatesTopicsOnceAndTellsTheirPartitions) {
    Topics topics;
    const auto topic = topics.name("made");
    const auto deadline = Deadline::after(milliseconds{30'000});
    EXPECT_EQ(topics.admin().partitions(topic, deadline).value(), std::nullopt);
    const TopicSpec spec{topic, 3, -1, {{"retention.ms", "3600000"}}};
    const auto first = topics.admin().create_topics({spec}, deadline);
    ASSERT_TRUE(first && first->front().result);
    EXPECT_TRUE(first->front().changed);
    const auto second = topics.admin().create_topics({spec}, deadline);
    ASSERT_TRUE(second && second->front().result);
    EXPECT_FALSE(second->front().changed);
    // A broker may tell of a topic a moment after the controller has made it.
    while (topics.admin().partitions(topic, deadline).value() != 3 && !deadline.expired()) {
        system_clock().sleep_for(milliseconds{10}, {});
    }
    EXPECT_EQ(topics.admin().topics(deadline).value().at(topic), 3);
    auto producer = topics.producer();
    topics.send(*producer, {topic, "k", "v", {}, {}, 1});
    auto ends = topics.admin().end_offsets({{topic, 0}, {topic, 1}}, deadline);
    while (!ends && ends.error().transient() && !deadline.expired()) {
        // So may a partition's leader.
        system_clock().sleep_for(milliseconds{10}, {});
        ends = topics.admin().end_offsets({{topic, 0}, {topic, 1}}, deadline);
    }
    ASSERT_TRUE(ends) << ends.error().message;
    EXPECT_EQ((*ends)[0].offset, 0);
    EXPECT_EQ((*ends)[1].offset, 1);
    const auto bad = topics.admin().create_topics({{topics.name("bad"), 1, 9, {}}}, deadline);
    ASSERT_TRUE(bad);
    EXPECT_EQ(bad->front().result.error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace gantry::kafka
