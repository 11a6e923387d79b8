#pragma once

#include "gantry/base/time.hpp"
#include "verdict.hpp"

#include <memory>
#include <string>
#include <vector>

namespace gantry::relay::testing {

/// Two Kafka brokers in this process's memory, which can be taken away one by one. Holds one topic,
/// whose even partitions are led by broker 1 and whose odd ones by broker 2.
class MockKafka {
public:
    static constexpr int kPartitions = 4;

    explicit MockKafka(std::string topic);
    ~MockKafka();
    MockKafka(const MockKafka&) = delete;
    MockKafka& operator=(const MockKafka&) = delete;

    [[nodiscard]] std::string brokers() const;
    void take_down(int broker);
    void bring_up(int broker);

    /// Reads these partitions until so many different records came or `limit` passed.
    Verdict watch(std::size_t count, const std::vector<int>& partitions,
                  milliseconds limit = milliseconds{30'000}) const;

private:
    struct Cluster;
    std::string topic_;
    std::unique_ptr<Cluster> cluster_;
};

}  // namespace gantry::relay::testing
