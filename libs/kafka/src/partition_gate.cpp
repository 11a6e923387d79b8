#include "partition_gate.hpp"

namespace gantry::kafka {

PartitionGate::Topic* PartitionGate::enter(const std::string& topic) {
    const std::lock_guard lock(mutex_);
    auto& found = topics_.try_emplace(topic).first->second;
    if (!admits(found.all_)) {
        return nullptr;
    }
    ++found.all_.inside;
    return &found;
}

bool PartitionGate::enter(Topic& topic, std::int32_t partition) {
    const std::lock_guard lock(mutex_);
    auto& flow = topic.partitions_[partition];
    if (!admits(flow)) {
        return false;
    }
    ++flow.inside;
    return true;
}

void PartitionGate::move(Topic& topic, std::int32_t before, std::int32_t partition) {
    const std::lock_guard lock(mutex_);
    if (before >= 0) {
        leave_partition(topic, before, false);
    }
    // The client does not know the topic (any more): it may have been deleted and made again.
    topic.all_.open = false;
    auto& flow = topic.partitions_[partition];
    flow.open = false;
    ++flow.inside;
}

void PartitionGate::leave(Topic& topic, std::int32_t partition, bool stored) {
    const std::lock_guard lock(mutex_);
    finish(topic.all_, stored);
    if (partition >= 0) {
        leave_partition(topic, partition, stored);
    }
}

void PartitionGate::leave_partition(Topic& topic, std::int32_t partition, bool stored) {
    const auto found = topic.partitions_.find(partition);
    finish(found->second, stored);
    if (found->second.inside == 0 && !found->second.open) {
        topic.partitions_.erase(found);  // it need not exist
    }
}

bool PartitionGate::admits(Flow& flow) const {
    if (flow.inside == 0 && flow.open && clock_.steady_now() - flow.stored_at >= idle_) {
        flow.open = false;
    }
    return flow.open || flow.inside == 0;
}

void PartitionGate::finish(Flow& flow, bool stored) const {
    --flow.inside;
    if (stored) {
        flow.open = true;
        flow.stored_at = clock_.steady_now();
    }
}

}  // namespace gantry::kafka
