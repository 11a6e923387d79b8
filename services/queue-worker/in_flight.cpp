#include "in_flight.hpp"

#include <utility>

namespace gantry::worker {

namespace {

bool is_same_record(const Arrival& a, const Arrival& b) {
    return a.offset == b.offset && a.source.partition == b.source.partition &&
           a.source.epoch == b.source.epoch && a.source.topic == b.source.topic;
}

bool is_copy(const Arrival& inside, const Arrival& arrival) {
    if (arrival.wakeup.dispatch != inside.wakeup.dispatch) {
        return arrival.wakeup.dispatch < inside.wakeup.dispatch;
    }
    // The end of the one inside is refused once its partition was taken over, even by this process:
    // a record of a newer epoch, or of another partition, may then be the job's only hope.
    return arrival.source.topic == inside.source.topic &&
           arrival.source.partition == inside.source.partition &&
           arrival.source.epoch <= inside.source.epoch;
}

}  // namespace

InFlight::Admission InFlight::admit(const Arrival& arrival) {
    const std::lock_guard lock(mutex_);
    const auto [found, fresh] =
        entries_.try_emplace(arrival.wakeup.id, Entry{arrival, std::nullopt});
    if (fresh) {
        return {Admitted::yes, {}};
    }
    auto& [inside, waiting] = found->second;
    if (is_same_record(inside, arrival) || (waiting && is_same_record(*waiting, arrival))) {
        return {Admitted::known, {}};
    }
    if (is_copy(inside, arrival) ||
        (waiting && waiting->wakeup.dispatch > arrival.wakeup.dispatch)) {
        return {Admitted::no, {}};
    }
    waiting_ += waiting ? 0 : 1;
    return {Admitted::later, std::exchange(waiting, arrival)};
}

std::optional<Arrival> InFlight::end(const Uuid& job) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(job);
    if (found == entries_.end()) {
        return std::nullopt;
    }
    auto waiting = std::move(found->second.waiting);
    waiting_ -= waiting ? 1 : 0;
    entries_.erase(found);
    return waiting;
}

std::size_t InFlight::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

std::size_t InFlight::waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
}

}  // namespace gantry::worker
