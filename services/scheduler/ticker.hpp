#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/metrics/registry.hpp"
#include "options.hpp"
#include "plan.hpp"
#include "server_clock.hpp"
#include "store.hpp"

#include <map>
#include <optional>
#include <stop_token>
#include <vector>

namespace gantry::scheduler {

/// The ticker's metrics. References into the registry, which outlives it.
struct TickerMetrics {
    explicit TickerMetrics(metrics::Registry& registry);

    metrics::Counter& fired;
    metrics::Counter& missed;
    metrics::Counter& skipped;
    metrics::Counter& failed;
    std::map<TickStatus, metrics::Counter*> ticks;
    metrics::Histogram& lateness;
    metrics::Gauge& skew;
    metrics::Gauge& active;
    metrics::Gauge& paused;
    metrics::Gauge& unreadable;
    metrics::Gauge& owned;
};

/// Fires what is due. Every replica runs one; they agree through the database alone.
///
/// It keeps the schedules of all shards in memory with the time at which each is due, and looks for
/// edits and other replicas' progress once per `poll_interval`. Whoever fired a shard last fires it
/// on time; the others come `takeover_after` later and find the work done, or do it. Nothing it
/// remembers can make a fire twice or lose one: a tick computed from an old revision or watermark
/// is refused by the database. Not thread-safe.
class Ticker {
public:
    Ticker(TickerOptions options, Store& store, Clock& clock, metrics::Registry& registry);

    /// Reads what has changed, fires what is due, and returns when to be called again. After an
    /// error everything is read anew.
    Result<SteadyTime> run_once(std::stop_token stop);

private:
    struct Planned {
        ArmedSchedule schedule;
        std::optional<Instant> due;
    };
    struct Shard {
        ShardState state;
        std::vector<Planned> schedules;
        std::optional<Instant> due;  // the earliest of its schedules
        int unreadable = 0;
        bool owned = false;     // we fired it last
        SteadyTime not_before;  // another replica is at it: leave it alone until then
    };

    Result<void> refresh();
    Result<void> load(const std::vector<int>& numbers);
    Result<void> tick(Shard& shard, std::stop_token stop);
    Result<bool> send(Shard& shard, Instant upto, Store::Advance advance,
                      const std::vector<FireToMake>& fires);
    void move_watermark(Shard& shard, Instant watermark);
    [[nodiscard]] std::optional<SteadyTime> wake_time(const Shard& shard) const;
    void count(const TickReply& reply, const std::vector<FireToMake>& fires);
    void show_gauges();

    // Constant after construction.
    TickerOptions options_;
    Store& store_;
    Clock& clock_;
    TickerMetrics metrics_;
    // Touched by the caller's thread only.
    ServerClock server_clock_;
    std::map<int, Shard> shards_;
    SteadyTime next_refresh_;
};

}  // namespace gantry::scheduler
