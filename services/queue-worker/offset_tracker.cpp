#include "offset_tracker.hpp"

#include <algorithm>

namespace gantry::worker {

void OffsetTracker::received(std::int64_t offset) {
    if (offset < next_ || (!entries_.empty() && offset <= entries_.back().offset)) {
        go_back(offset);
    }
    entries_.push_back({offset, false});
    ++open_;
}

void OffsetTracker::go_back(std::int64_t offset) {
    while (!entries_.empty() && entries_.back().offset >= offset) {
        open_ -= entries_.back().done ? 0 : 1;
        entries_.pop_back();
    }
    if (offset < next_) {
        next_ = offset;
        taken_ = -1;
    }
}

void OffsetTracker::done(std::int64_t offset) {
    const auto entry = std::ranges::lower_bound(entries_, offset, {}, &Entry::offset);
    if (entry == entries_.end() || entry->offset != offset || entry->done) {
        return;
    }
    entry->done = true;
    --open_;
    while (!entries_.empty() && entries_.front().done) {
        next_ = entries_.front().offset + 1;
        entries_.pop_front();
    }
}

std::optional<std::int64_t> OffsetTracker::take_commit() {
    if (next_ <= taken_) {
        return std::nullopt;
    }
    taken_ = next_;
    return next_;
}

}  // namespace gantry::worker
