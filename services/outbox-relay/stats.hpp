#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/metrics/registry.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace gantry::relay {

enum class ReaderMode { unknown, wal, polling };

/// What the relay shows of itself: to metrics and to OutboxService. Thread-safe.
class Stats {
public:
    Stats(metrics::Registry& metrics, Clock& clock);
    Stats(const Stats&) = delete;
    Stats& operator=(const Stats&) = delete;

    void set_leader(std::int64_t epoch);
    void set_standby();
    void set_mode(ReaderMode mode) { mode_ = mode; }
    void published(const std::string& topic, milliseconds since_commit);
    void parked(const std::string& topic);
    void ignored(std::uint64_t count = 1) { ignored_.increment(static_cast<double>(count)); }
    void set_open(std::size_t records, std::size_t bytes, std::optional<Instant> oldest);
    void stored_progress();
    void proven(Instant at);
    void set_wal(double lag_bytes, double retained_bytes);
    void set_parked_rows(std::int64_t count);
    void restarted(const std::string& reason);

    [[nodiscard]] ReaderMode mode() const { return mode_; }
    [[nodiscard]] bool leader() const { return leader_; }
    [[nodiscard]] std::int64_t epoch() const { return epoch_; }
    [[nodiscard]] std::int64_t published() const { return published_; }
    [[nodiscard]] std::int64_t in_flight() const { return in_flight_; }
    /// Age of the oldest record that was read and is not published; zero if there is none.
    [[nodiscard]] milliseconds oldest_age() const;

private:
    metrics::Counter& of_topic(std::map<std::string, metrics::Counter*>& counters,
                               const std::string& topic, const char* outcome);

    // Constant after construction.
    metrics::Registry& metrics_;
    Clock& clock_;
    metrics::Gauge& leader_gauge_;
    metrics::Gauge& epoch_gauge_;
    metrics::Gauge& age_gauge_;
    metrics::Gauge& records_gauge_;
    metrics::Gauge& bytes_gauge_;
    metrics::Gauge& lag_gauge_;
    metrics::Gauge& retained_gauge_;
    metrics::Gauge& parked_gauge_;
    metrics::Gauge& stored_gauge_;
    metrics::Gauge& proven_gauge_;
    metrics::Counter& ignored_;
    metrics::Histogram& delay_;
    // Used by the relay's loop only.
    std::map<std::string, metrics::Counter*> acknowledged_;
    std::map<std::string, metrics::Counter*> parked_;
    // Self-synchronised.
    std::atomic<ReaderMode> mode_{ReaderMode::unknown};
    std::atomic<bool> leader_{false};
    std::atomic<std::int64_t> epoch_{0};
    std::atomic<std::int64_t> published_{0};
    std::atomic<std::int64_t> in_flight_{0};
    std::atomic<Instant::rep> oldest_{0};  // zero: none
};

}  // namespace gantry::relay
