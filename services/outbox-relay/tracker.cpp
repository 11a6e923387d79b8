#include "tracker.hpp"

namespace gantry::relay {

Tracker::Ticket Tracker::add(Position after, std::size_t bytes, Instant committed) {
    entries_.push_back({after, committed, bytes, false});
    ++open_records_;
    open_bytes_ += bytes;
    return head_ + entries_.size() - 1;
}

Tracker::Ticket Tracker::mark(Position after) {
    if (!entries_.empty() && entries_.back().finished) {
        entries_.back().after = after;
        return head_ + entries_.size() - 1;
    }
    entries_.push_back({after, Instant{}, 0, true});
    const auto ticket = head_ + entries_.size() - 1;
    advance();
    return ticket;
}

void Tracker::finish(Ticket ticket) {
    if (ticket < head_ || ticket - head_ >= entries_.size()) {
        return;  // from before a reset
    }
    auto& entry = entries_[ticket - head_];
    if (entry.finished) {
        return;
    }
    entry.finished = true;
    --open_records_;
    open_bytes_ -= entry.bytes;
    advance();
}

void Tracker::reset(Position progress) {
    head_ += entries_.size();
    entries_.clear();
    progress_ = progress;
    open_records_ = 0;
    open_bytes_ = 0;
}

std::optional<Instant> Tracker::committed(Ticket ticket) const {
    if (ticket < head_ || ticket - head_ >= entries_.size()) {
        return std::nullopt;
    }
    return entries_[ticket - head_].committed;
}

std::optional<Instant> Tracker::oldest() const {
    if (entries_.empty()) {
        return std::nullopt;
    }
    return entries_.front().committed;  // the front is open, else it would have gone
}

void Tracker::advance() {
    while (!entries_.empty() && entries_.front().finished) {
        progress_ = entries_.front().after;
        entries_.pop_front();
        ++head_;
    }
}

}  // namespace gantry::relay
