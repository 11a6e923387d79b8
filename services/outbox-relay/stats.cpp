#include "stats.hpp"

#include <algorithm>

namespace gantry::relay {
namespace {

double unix_seconds(Instant at) {
    return std::chrono::duration<double>(at.time_since_epoch()).count();
}

}  // namespace

Stats::Stats(metrics::Registry& metrics, Clock& clock)
    : metrics_(metrics),
      clock_(clock),
      leader_gauge_(metrics.gauge("gantry_outbox_leader", "1 if this replica publishes.")),
      epoch_gauge_(metrics.gauge("gantry_outbox_epoch", "The leader's epoch.")),
      age_gauge_(metrics.gauge("gantry_outbox_oldest_unpublished_age_seconds",
                               "Age of the oldest record that was read and is not published.")),
      records_gauge_(metrics.gauge("gantry_outbox_in_flight_records",
                                   "Records that were read and are not finished.")),
      bytes_gauge_(metrics.gauge("gantry_outbox_in_flight_bytes",
                                 "Bytes of records that were read and are not finished.")),
      lag_gauge_(
          metrics.gauge("gantry_outbox_lag_bytes", "WAL written and not confirmed by the relay.")),
      retained_gauge_(metrics.gauge("gantry_outbox_wal_retained_bytes",
                                    "WAL that the server keeps for the relay's slot.")),
      parked_gauge_(metrics.gauge("gantry_outbox_parked_records", "Records set aside.")),
      stored_gauge_(metrics.gauge("gantry_outbox_progress_stored_time_seconds",
                                  "When progress was last stored, in Unix time.")),
      proven_gauge_(metrics.gauge("gantry_outbox_checkpoint_time_seconds",
                                  "Moment of the last proven checkpoint, in Unix time.")),
      ignored_(metrics.counter("gantry_outbox_ignored_messages_total",
                               "Logical messages that are no wake-up.")),
      delay_(metrics.histogram("gantry_outbox_commit_to_ack_seconds",
                               "From the writer's commit to Kafka's acknowledgement.")) {
    metrics.on_scrape(
        [this] { age_gauge_.set(std::chrono::duration<double>(oldest_age()).count()); });
}

void Stats::set_leader(std::int64_t epoch) {
    leader_ = true;
    epoch_ = epoch;
    leader_gauge_.set(1);
    epoch_gauge_.set(static_cast<double>(epoch));
}

void Stats::set_standby() {
    leader_ = false;
    leader_gauge_.set(0);
    set_open(0, 0, std::nullopt);
}

metrics::Counter& Stats::of_topic(std::map<std::string, metrics::Counter*>& counters,
                                  const std::string& topic, const char* outcome) {
    constexpr std::size_t kMostTopics = 1'000;
    const std::string& label =
        counters.size() < kMostTopics || counters.contains(topic) ? topic : std::string("(other)");
    auto& counter = counters[label];
    if (counter == nullptr) {
        counter = &metrics_.counter("gantry_outbox_records_total", "Records that left the outbox.",
                                    {{"topic", label}, {"outcome", outcome}});
    }
    return *counter;
}

void Stats::published(const std::string& topic, milliseconds since_commit) {
    of_topic(acknowledged_, topic, "published").increment();
    delay_.observe(std::max(0.0, std::chrono::duration<double>(since_commit).count()));
    ++published_;
}

void Stats::parked(const std::string& topic) {
    of_topic(parked_, topic, "parked").increment();
}

void Stats::set_open(std::size_t records, std::size_t bytes, std::optional<Instant> oldest) {
    records_gauge_.set(static_cast<double>(records));
    bytes_gauge_.set(static_cast<double>(bytes));
    in_flight_ = static_cast<std::int64_t>(records);
    oldest_ = oldest ? oldest->time_since_epoch().count() : 0;
}

void Stats::stored_progress() {
    stored_gauge_.set(unix_seconds(clock_.now()));
}

void Stats::proven(Instant at) {
    proven_gauge_.set(unix_seconds(at));
}

void Stats::set_wal(double lag_bytes, double retained_bytes) {
    lag_gauge_.set(lag_bytes);
    retained_gauge_.set(retained_bytes);
}

void Stats::set_parked_rows(std::int64_t count) {
    parked_gauge_.set(static_cast<double>(count));
}

void Stats::restarted(const std::string& reason) {
    metrics_
        .counter("gantry_outbox_reader_restarts_total", "Times the leader began to read anew.",
                 {{"code", reason}})
        .increment();
}

milliseconds Stats::oldest_age() const {
    const auto oldest = oldest_.load();
    if (oldest == 0) {
        return milliseconds{0};
    }
    const auto age = clock_.now() - Instant{Instant::duration{oldest}};
    return std::max(milliseconds{0}, std::chrono::duration_cast<milliseconds>(age));
}

}  // namespace gantry::relay
