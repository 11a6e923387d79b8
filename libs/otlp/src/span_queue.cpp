#include "span_queue.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

namespace gantry::otlp {

void SpanQueue::take(tracing::SpanRecord span) noexcept {
    std::size_t size = 0;
    try {
        const std::lock_guard lock(mutex_);
        if (spans_.size() < capacity_) {
            spans_.push_back(std::move(span));
            size = spans_.size();
        }
    } catch (const std::bad_alloc&) {
        size = 0;
    }
    if (size == 0) {
        dropped_.increment();
    } else if (size == batch_size_) {
        alarm_.ring();
    }
}

std::vector<tracing::SpanRecord> SpanQueue::next() {
    const std::lock_guard lock(mutex_);
    const auto count = static_cast<std::ptrdiff_t>(std::min(batch_size_, spans_.size()));
    const auto end = spans_.begin() + count;
    std::vector<tracing::SpanRecord> batch(std::make_move_iterator(spans_.begin()),
                                           std::make_move_iterator(end));
    spans_.erase(spans_.begin(), end);
    return batch;
}

std::size_t SpanQueue::size() const {
    const std::lock_guard lock(mutex_);
    return spans_.size();
}

}  // namespace gantry::otlp
