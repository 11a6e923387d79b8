#pragma once

#include "gantry/hosting/alarm.hpp"
#include "gantry/metrics/registry.hpp"
#include "gantry/tracing/span.hpp"

#include <deque>
#include <mutex>
#include <vector>

namespace gantry::otlp {

/// The bounded queue between the threads that end spans and the one that sends them. Thread-safe.
class SpanQueue final : public tracing::SpanSink {
public:
    /// Rings once a batch is there.
    SpanQueue(Clock& clock, std::size_t capacity, std::size_t batch_size, metrics::Counter& dropped)
        : capacity_(capacity), batch_size_(batch_size), dropped_(dropped), alarm_(clock) {}

    /// Never waits: a span that finds no room is dropped and counted.
    void take(tracing::SpanRecord span) noexcept override;

    /// Up to a batch of the oldest spans.
    std::vector<tracing::SpanRecord> next();

    [[nodiscard]] std::size_t size() const;

    hosting::Alarm& alarm() { return alarm_; }

private:
    // Constant after construction.
    std::size_t capacity_;
    std::size_t batch_size_;
    metrics::Counter& dropped_;
    // Self-synchronised.
    hosting::Alarm alarm_;
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::deque<tracing::SpanRecord> spans_;
};

}  // namespace gantry::otlp
