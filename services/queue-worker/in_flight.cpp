#include "in_flight.hpp"

#include <utility>

namespace gantry::worker {

bool InFlight::is_copy(const Entry& inside, const Arrival& arrival) {
    if (arrival.wakeup.dispatch != inside.dispatch) {
        return arrival.wakeup.dispatch < inside.dispatch;
    }
    // The end of the one inside is refused once its partition was taken over, even by this process:
    // the record read under the newer epoch is then the job's only hope.
    const auto& source = arrival.source;
    const bool same_partition =
        source.topic == inside.topic && source.partition == inside.partition;
    return !same_partition || source.epoch <= inside.epoch;
}

InFlight::Admission InFlight::admit(const Arrival& arrival) {
    const std::lock_guard lock(mutex_);
    const auto [found, fresh] = entries_.try_emplace(
        arrival.wakeup.id, Entry{arrival.wakeup.dispatch, arrival.source.epoch,
                                 arrival.source.topic, arrival.source.partition, std::nullopt});
    if (fresh) {
        return {Admitted::yes, {}};
    }
    auto& inside = found->second;
    if (is_copy(inside, arrival)) {
        return {Admitted::no, {}};
    }
    if (inside.waiting && inside.waiting->wakeup.dispatch > arrival.wakeup.dispatch) {
        return {Admitted::no, {}};
    }
    return {Admitted::later, std::exchange(inside.waiting, arrival)};
}

std::optional<Arrival> InFlight::end(const Uuid& job) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(job);
    if (found == entries_.end()) {
        return std::nullopt;
    }
    auto waiting = std::move(found->second.waiting);
    entries_.erase(found);
    return waiting;
}

std::size_t InFlight::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

}  // namespace gantry::worker
