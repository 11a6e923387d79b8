#include "mock_kafka.hpp"

#include "gantry/base/deadline.hpp"
#include "gantry/kafka/consumer.hpp"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <optional>
#include <stdexcept>

namespace gantry::relay::testing {
namespace {

constexpr int kBrokers = 2;
constexpr milliseconds kLinger{500};

rd_kafka_t* make_client() {
    std::array<char, 256> text{};
    auto* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", text.data(), text.size());
    auto* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text.data(), text.size());
    if (client == nullptr) {
        throw std::runtime_error(text.data());
    }
    return client;
}

}  // namespace

struct MockKafka::Cluster {
    Cluster() : client(make_client()), brokers(rd_kafka_mock_cluster_new(client, kBrokers)) {}
    ~Cluster() {
        rd_kafka_mock_cluster_destroy(brokers);
        rd_kafka_destroy(client);
    }
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;

    rd_kafka_t* client;
    rd_kafka_mock_cluster_t* brokers;
};

MockKafka::MockKafka(std::string topic)
    : topic_(std::move(topic)), cluster_(std::make_unique<Cluster>()) {
    rd_kafka_mock_topic_create(cluster_->brokers, topic_.c_str(), kPartitions, 1);
    for (int partition = 0; partition < kPartitions; ++partition) {
        rd_kafka_mock_partition_set_leader(cluster_->brokers, topic_.c_str(), partition,
                                           partition % kBrokers + 1);
    }
}

MockKafka::~MockKafka() = default;

std::string MockKafka::brokers() const {
    return rd_kafka_mock_cluster_bootstraps(cluster_->brokers);
}

void MockKafka::take_down(int broker) {
    rd_kafka_mock_broker_set_down(cluster_->brokers, broker);
}

void MockKafka::bring_up(int broker) {
    rd_kafka_mock_broker_set_up(cluster_->brokers, broker);
}

Verdict MockKafka::watch(std::size_t count, const std::vector<int>& partitions,
                         milliseconds limit) const {
    kafka::Options options;
    options.brokers = brokers();
    kafka::ConsumerSettings settings;
    settings.group = "judge";
    metrics::Registry metrics;
    auto consumer = kafka::Consumer::create(options, settings, metrics);
    std::vector<kafka::TopicPartitionOffset> from;
    for (const int partition : partitions) {
        from.push_back({topic_, partition, 0});
    }
    if (!consumer || !(*consumer)->assign(from)) {
        throw std::runtime_error("the brokers in memory cannot be read");
    }
    Judge judge;
    const auto deadline = Deadline::after(limit);
    std::optional<Deadline> enough;
    while (!deadline.expired() && !(enough && enough->expired())) {
        auto event = (*consumer)->poll(milliseconds{20});
        if (const auto* message = std::get_if<kafka::Message>(&event)) {
            judge.add(*message);
        }
        if (!enough && judge.verdict().different >= count) {
            enough = Deadline::after(kLinger);
        }
    }
    return judge.verdict();
}

}  // namespace gantry::relay::testing
