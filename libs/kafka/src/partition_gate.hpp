#pragma once

#include "gantry/base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>

namespace gantry::kafka {

/// Lets the first record of a partition go alone.
///
/// A broker that knows nothing of a producer in a partition takes any first sequence number. If it
/// refuses the first batch (it does not lead yet) and takes a later one that was already on its
/// way, librdkafka counts the first as delivered as well: a record is lost that was acknowledged.
/// Once one batch is stored, the broker refuses every gap. See docs/adr/0008. Thread-safe.
class PartitionGate {
public:
    /// A partition without traffic for `idle` opens anew: brokers forget producers.
    explicit PartitionGate(Clock& clock, std::chrono::seconds idle = std::chrono::minutes{1})
        : clock_(clock), idle_(idle) {}

    class Topic;

    /// Takes one record of the topic in; null while the topic's first record is on its way.
    Topic* enter(const std::string& topic);
    /// Takes the record into its partition; false while the partition's first record is on its way.
    [[nodiscard]] bool enter(Topic& topic, std::int32_t partition);
    /// Takes it in whatever is on its way: librdkafka has the record and chooses late, because it
    /// did not know the topic. `before` is what it had chosen earlier, or −1.
    void move(Topic& topic, std::int32_t before, std::int32_t partition);
    /// The record is done with; `partition` is −1 if it never had one.
    void leave(Topic& topic, std::int32_t partition, bool stored);

private:
    struct Flow {
        std::size_t inside = 0;
        bool open = false;
        SteadyTime stored_at{};
    };

    /// Whether another record may follow those inside.
    [[nodiscard]] bool admits(Flow& flow) const;
    void finish(Flow& flow, bool stored) const;
    void leave_partition(Topic& topic, std::int32_t partition, bool stored);

    Clock& clock_;
    const SteadyTime::duration idle_;
    std::mutex mutex_;
    std::map<std::string, Topic, std::less<>> topics_;  // nodes stay where they are
};

/// What is inside of one topic. Guarded by the gate's mutex.
class PartitionGate::Topic {
    friend class PartitionGate;

    Flow all_;
    std::unordered_map<std::int32_t, Flow> partitions_;
};

}  // namespace gantry::kafka
