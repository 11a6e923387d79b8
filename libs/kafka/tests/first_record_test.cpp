// A broker takes any first sequence number of a producer it does not know: docs/adr/0008.

#include "gantry/kafka/consumer.hpp"
#include "gantry/kafka/producer.hpp"
#include "gantry/testing/offer.hpp"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace gantry::kafka {
namespace {

constexpr std::int16_t kProduceRequest = 0;
constexpr milliseconds kLimit{20'000};

/// librdkafka's broker in memory, which takes every sequence number.
class Broker {
public:
    Broker() : client_(make_client()), cluster_(rd_kafka_mock_cluster_new(client_.get(), 1)) {
        rd_kafka_mock_topic_create(cluster_.get(), "orders", 1, 1);
        rd_kafka_mock_topic_create(cluster_.get(), "spread", 4, 1);
    }

    /// The next produce requests fail so: the broker does not lead the partition yet.
    void refuse_next(std::size_t count) {
        const std::vector<rd_kafka_resp_err_t> errors(count,
                                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
        rd_kafka_mock_push_request_errors_array(cluster_.get(), kProduceRequest, count,
                                                errors.data());
    }

    [[nodiscard]] Options options() const {
        Options options;
        options.brokers = rd_kafka_mock_cluster_bootstraps(cluster_.get());
        options.client_id = "first-record-test";
        return options;
    }

private:
    struct DestroyClient {
        void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
    };
    struct DestroyCluster {
        void operator()(rd_kafka_mock_cluster_t* cluster) const {
            rd_kafka_mock_cluster_destroy(cluster);
        }
    };

    static rd_kafka_t* make_client() {
        std::array<char, 512> error{};
        rd_kafka_conf_t* conf = rd_kafka_conf_new();
        rd_kafka_conf_set(conf, "log_level", "3", nullptr, 0);
        return rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
    }

    std::unique_ptr<rd_kafka_t, DestroyClient> client_;
    std::unique_ptr<rd_kafka_mock_cluster_t, DestroyCluster> cluster_;
};

/// What was acknowledged.
class Sender {
public:
    explicit Sender(Producer& producer) : producer_(producer) {}

    bool offer(const std::string& value) {
        return gantry::testing::offer(producer_, {"orders", "k", value, {}, {}, {}},
                                      [this, value](const Delivery& delivery) {
                                          if (delivery.outcome == Outcome::acknowledged) {
                                              acknowledged_.insert(value);
                                          }
                                      })
            .has_value();
    }

    /// Waits until every delivery has ended.
    [[nodiscard]] std::set<std::string> acknowledged() {
        EXPECT_TRUE(producer_.flush(Deadline::after(kLimit)));
        return acknowledged_;
    }

private:
    Producer& producer_;
    std::set<std::string> acknowledged_;  // by the producer's thread until it is flushed
};

std::vector<std::string> stored(const Options& options, std::size_t count) {
    metrics::Registry metrics;
    ConsumerSettings settings;
    settings.group = "reader";
    auto consumer = Consumer::create(options, settings, metrics);
    std::vector<std::string> values;
    if (!consumer || !(*consumer)->assign({{"orders", 0, 0}})) {
        return values;
    }
    const auto deadline = Deadline::after(kLimit);
    while (values.size() < count && !deadline.expired()) {
        auto event = (*consumer)->poll(milliseconds{20});
        if (const auto* message = std::get_if<Message>(&event)) {
            values.push_back(message->value->substr(0, 1));
        }
    }
    return values;
}

class FirstRecord : public ::testing::Test {
protected:
    std::unique_ptr<Producer> producer(milliseconds linger) {
        ProducerSettings settings;
        settings.linger = linger;
        auto made = Producer::create(broker_.options(), settings, metrics_);
        EXPECT_TRUE(made);
        return made ? std::move(*made) : nullptr;
    }

    Broker broker_;
    metrics::Registry metrics_;
};

TEST_F(FirstRecord, IsNotTakenForStoredBecauseALaterOneWas) {
    auto producer = this->producer(milliseconds{0});
    Sender sender(*producer);
    broker_.refuse_next(2);
    std::set<std::string> offered;
    for (const char* name : {"a", "b", "c", "d"}) {
        // Too large for two to share a batch.
        const auto value = name + std::string(300'000, '.');
        offered.insert(value);
        ASSERT_TRUE(sender.offer(value));
    }
    EXPECT_EQ(sender.acknowledged(), offered);
    EXPECT_EQ(stored(broker_.options(), 4), (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(FirstRecord, HoldsBackOnlyItsOwnPartitionUntilItIsStored) {
    // what is offered at once is on its way together
    auto producer = this->producer(milliseconds{500});
    std::atomic<int> stored = 0;
    const auto produce = [&](const std::string& key, int partition) {
        EXPECT_EQ(partition_of(key, 4), partition);
        return producer->produce({"spread", key, "v", {}, {}, {}}, [&](const Delivery& delivery) {
            stored += delivery.outcome == Outcome::acknowledged;
        });
    };
    ASSERT_TRUE(produce("first", 2));
    ASSERT_EQ(produce("b", 0).error().reason, "FIRST_RECORD");  // the topic's first is on its way
    ASSERT_TRUE(producer->flush(Deadline::after(kLimit)));
    ASSERT_TRUE(produce("b", 0));
    EXPECT_EQ(produce("b", 0).error().reason, "FIRST_RECORD");
    ASSERT_TRUE(produce("first", 2));
    ASSERT_TRUE(produce("first", 2));
    ASSERT_TRUE(producer->flush(Deadline::after(kLimit)));
    ASSERT_TRUE(produce("b", 0));
    ASSERT_TRUE(produce("b", 0));
    ASSERT_TRUE(producer->flush(Deadline::after(kLimit)));
    EXPECT_EQ(stored, 6);
    EXPECT_EQ(producer->queued(), 0U);
}

TEST_F(FirstRecord, OfAPartitionThatDoesNotExistIsRefused) {
    auto producer = this->producer(milliseconds{0});
    Sender sender(*producer);
    ASSERT_TRUE(sender.offer("a"));
    ASSERT_EQ(sender.acknowledged().size(), 1U);
    for (const std::int32_t partition : {1, std::numeric_limits<std::int32_t>::max(), -2,
                                         std::numeric_limits<std::int32_t>::min()}) {
        for (int again = 0; again < 2; ++again) {
            const auto taken = producer->produce({"orders", "k", "v", {}, {}, partition},
                                                 [](const Delivery&) { FAIL(); });
            ASSERT_FALSE(taken) << partition;
            EXPECT_EQ(taken.error().code, Code::invalid_argument) << partition;
        }
    }
    EXPECT_EQ(producer->queued(), 0U);
    EXPECT_TRUE(sender.offer("b"));
    EXPECT_EQ(sender.acknowledged().size(), 2U);
}

TEST_F(FirstRecord, ThatNoBrokerAcknowledgedIsNotCalledAcknowledged) {
    auto producer = this->producer(milliseconds{0});
    Sender sender(*producer);
    // Past the first record: a broker that has forgotten the producer meanwhile.
    ASSERT_TRUE(sender.offer("0"));
    ASSERT_EQ(sender.acknowledged().size(), 1U);
    broker_.refuse_next(1);
    const auto first = "1" + std::string(300'000, '.');
    const auto second = "2" + std::string(300'000, '.');
    ASSERT_TRUE(sender.offer(first));
    ASSERT_TRUE(sender.offer(second));
    const auto acknowledged = sender.acknowledged();
    const auto kept = stored(broker_.options(), acknowledged.size());
    // Whichever way the requests met: nothing is acknowledged that is not there.
    EXPECT_EQ(kept.size(), acknowledged.size());
    for (const auto& value : acknowledged) {
        EXPECT_NE(std::ranges::find(kept, value.substr(0, 1)), kept.end());
    }
}

}  // namespace
}  // namespace gantry::kafka
