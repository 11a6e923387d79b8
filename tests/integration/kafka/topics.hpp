#pragma once

#include "gantry/kafka/admin.hpp"
#include "gantry/kafka/consumer.hpp"
#include "gantry/kafka/producer.hpp"

#include <string>
#include <vector>

namespace gantry::kafka::testing {

/// The broker of GANTRY_TEST_KAFKA_BROKERS with topics of this test alone, deleted at the end.
/// Throws `std::runtime_error` if the variable is missing or the broker does not answer.
class Topics {
public:
    Topics();
    ~Topics();
    Topics(const Topics&) = delete;
    Topics& operator=(const Topics&) = delete;

    /// Creates a topic; its name.
    std::string create(const std::string& name, int partitions);
    /// A name that no other test uses.
    std::string name(const std::string& name);

    [[nodiscard]] const Options& options() const { return options_; }
    Admin& admin() { return *admin_; }
    metrics::Registry& metrics() { return metrics_; }

    std::unique_ptr<Producer> producer(ProducerSettings settings = {});
    std::unique_ptr<Consumer> consumer(const std::string& group);

    /// Produces and waits for the acknowledgement; the delivery.
    Delivery send(Producer& producer, const Record& record);

    /// Polls, answering rebalances, until `count` records came or `limit` passed.
    std::vector<Message> take(Consumer& consumer, std::size_t count,
                              milliseconds limit = milliseconds{20'000});

private:
    Options options_;
    metrics::Registry metrics_;
    std::unique_ptr<Admin> admin_;
    std::string prefix_;
    std::vector<std::string> created_;
};

}  // namespace gantry::kafka::testing
