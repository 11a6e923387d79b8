#include "listener_metrics.hpp"

#include <chrono>

namespace gantry::mllp {
namespace {

constexpr std::string_view kOther = "other";

}  // namespace

ListenerMetrics::ListenerMetrics(const Options& options, metrics::Registry& registry,
                                 const Clock& clock)
    : duplicates(registry.counter("gantry_mllp_duplicates_total",
                                  "Messages that had been stored before.")),
      junk_bytes(registry.counter("gantry_mllp_junk_bytes_total", "Bytes outside any frame.")),
      quarantine_lost(registry.counter("gantry_mllp_quarantine_lost_total",
                                       "Quarantine entries that could not be written.")),
      connections(registry.gauge("gantry_mllp_connections", "Open connections.")),
      buffered_bytes(registry.gauge("gantry_mllp_buffered_bytes",
                                    "Bytes of messages in memory that are not answered.")),
      store_up(registry.gauge("gantry_mllp_store_up", "1 while the database takes messages.")),
      batch_messages(registry.histogram("gantry_mllp_batch_messages", "Messages in a commit.", {},
                                        {1, 2, 4, 8, 16, 32, 64, 128, 256, 512})),
      commit_seconds(registry.histogram("gantry_mllp_commit_seconds", "Time of a commit.")),
      registry_(&registry),
      clock_(&clock) {
    store_up.set(1);
    // Known from the start, so that a feed that never came is seen as well.
    for (const auto& facility : options.facilities) {
        last_message_.emplace(facility, clock.now());
    }
    last_message_.emplace(kOther, clock.now());
    registry.on_scrape([this] { refresh_ages(); });
}

metrics::Counter& ListenerMetrics::counter(std::string_view name, std::string_view help,
                                           const metrics::Labels& labels) {
    std::string key(name);
    for (const auto& [label, value] : labels) {
        key += '\n' + value;
    }
    const std::lock_guard lock(mutex_);
    auto& known = counters_[key];
    if (known == nullptr) {
        known = &registry_->counter(name, help, labels);
    }
    return *known;
}

void ListenerMetrics::received(std::string_view code_label, std::size_t bytes) {
    const metrics::Labels labels{{"code", std::string(code_label)}};
    counter("gantry_mllp_received_total", "Messages received, by MSH-9.1.", labels).increment();
    counter("gantry_mllp_received_bytes_total", "Bytes of messages received.", labels)
        .increment(static_cast<double>(bytes));
}

void ListenerMetrics::answered(std::string_view code_label, std::string_view ack_code) {
    counter("gantry_mllp_answered_total", "Answers by MSH-9.1 and MSA-1.",
            {{"code", std::string(code_label)},
             {"ack", ack_code.empty() ? "none" : std::string(ack_code)}})
        .increment();
}

void ListenerMetrics::closed_unanswered(std::string_view reason) {
    counter("gantry_mllp_closed_unanswered_total",
            "Messages whose connection was closed without an answer.",
            {{"reason", std::string(reason)}})
        .increment();
}

void ListenerMetrics::quarantined(std::string_view reason) {
    counter("gantry_mllp_quarantined_total", "Frames that are no message, by reason.",
            {{"reason", std::string(reason)}})
        .increment();
}

void ListenerMetrics::refused_connection(std::string_view reason) {
    counter("gantry_mllp_refused_connections_total", "Connections closed at once, by limit.",
            {{"reason", std::string(reason)}})
        .increment();
}

void ListenerMetrics::stored(std::string_view facility) {
    const std::lock_guard lock(mutex_);
    auto known = last_message_.find(facility);
    if (known == last_message_.end()) {
        known = last_message_.find(kOther);
    }
    known->second = clock_->now();
}

void ListenerMetrics::refresh_ages() {
    const auto now = clock_->now();
    const std::lock_guard lock(mutex_);
    for (const auto& [facility, at] : last_message_) {
        registry_
            ->gauge("gantry_mllp_last_message_age_seconds",
                    "Time since a facility's last message, or since the start.",
                    {{"facility", facility}})
            .set(std::chrono::duration<double>(now - at).count());
    }
}

}  // namespace gantry::mllp
