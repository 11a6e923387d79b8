#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/metrics/registry.hpp"
#include "options.hpp"

#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace gantry::mllp {

/// The listener's metrics. Labels are bounded: message codes and facilities that the configuration
/// names, "other" for the rest. Thread-safe.
class ListenerMetrics {
public:
    ListenerMetrics(const Options& options, metrics::Registry& registry, const Clock& clock);

    void received(std::string_view code_label, std::size_t bytes);
    /// An answer was given: `ack_code` such as "AA", or "none" where the sender wanted none.
    void answered(std::string_view code_label, std::string_view ack_code);
    /// A connection was closed although a message waited for its answer.
    void closed_unanswered(std::string_view reason);
    void stored(std::string_view facility);
    void quarantined(std::string_view reason);
    void refused_connection(std::string_view reason);

    metrics::Counter& duplicates;
    metrics::Counter& junk_bytes;
    metrics::Counter& quarantine_lost;
    metrics::Gauge& connections;
    metrics::Gauge& buffered_bytes;
    metrics::Gauge& store_up;
    metrics::Histogram& batch_messages;
    metrics::Histogram& commit_seconds;

private:
    metrics::Counter& counter(std::string_view name, std::string_view help,
                              const metrics::Labels& labels);
    void refresh_ages();

    metrics::Registry* registry_;
    const Clock* clock_;
    // Guarded by mutex_.
    std::mutex mutex_;
    std::map<std::string, Instant, std::less<>> last_message_;  // by facility label
    std::map<std::string, metrics::Counter*, std::less<>> counters_;
};

}  // namespace gantry::mllp
