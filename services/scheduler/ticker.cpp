#include "ticker.hpp"

#include "gantry/logging/log.hpp"

#include <algorithm>
#include <utility>

namespace gantry::scheduler {
namespace {

constexpr milliseconds kStatementLimit{5'000};

metrics::Counter& fires(metrics::Registry& registry, const char* outcome) {
    return registry.counter("gantry_scheduler_fires_total", "Due times by what became of them.",
                            {{"outcome", outcome}});
}

metrics::Gauge& schedules(metrics::Registry& registry, const char* state) {
    return registry.gauge("gantry_scheduler_schedules", "Schedules by state.", {{"state", state}});
}

double seconds_of(Instant::duration duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

TickerMetrics::TickerMetrics(metrics::Registry& registry)
    : fired(fires(registry, "fired")),
      missed(fires(registry, "missed")),
      skipped(fires(registry, "skipped")),
      failed(fires(registry, "failed")),
      lateness(registry.histogram("gantry_scheduler_fire_lateness_seconds",
                                  "From a fire's due time to its commit.")),
      skew(registry.gauge("gantry_scheduler_clock_skew_seconds",
                          "How far PostgreSQL's clock is ahead of this machine's.")),
      active(schedules(registry, "active")),
      paused(schedules(registry, "paused")),
      unreadable(schedules(registry, "unreadable")),
      owned(
          registry.gauge("gantry_scheduler_shards_owned", "Shards that this replica fired last.")) {
    for (const auto status :
         {TickStatus::done, TickStatus::busy, TickStatus::stale, TickStatus::early}) {
        ticks[status] =
            &registry.counter("gantry_scheduler_ticks_total", "Ticks by the database's answer.",
                              {{"status", std::string(to_string(status))}});
    }
}

Ticker::Ticker(TickerOptions options, Store& store, Clock& clock, metrics::Registry& registry)
    : options_(options),
      store_(store),
      clock_(clock),
      metrics_(registry),
      server_clock_(clock),
      next_refresh_(clock.steady_now()) {}

Result<SteadyTime> Ticker::run_once(std::stop_token stop) {
    const auto step = [&]() -> Result<void> {
        if (clock_.steady_now() >= next_refresh_) {
            TRY(refresh());
        }
        bool looked = false;
        for (auto& [number, shard] : shards_) {
            const auto wake = wake_time(shard);
            if (stop.stop_requested() || !wake || *wake > clock_.steady_now()) {
                continue;
            }
            if (!shard.owned && !std::exchange(looked, true)) {
                TRY(refresh());  // its owner has most likely fired
            }
            if (shard.due && *shard.due <= server_clock_.now()) {
                TRY(tick(shard, stop));
            }
        }
        return {};
    };
    if (auto done = step(); !done) {
        shards_.clear();
        next_refresh_ = clock_.steady_now();
        return std::unexpected(std::move(done).error());
    }
    show_gauges();
    auto next = next_refresh_;
    for (const auto& [number, shard] : shards_) {
        next = std::min(next, wake_time(shard).value_or(next));
    }
    return next;
}

Result<void> Ticker::refresh() {
    const auto sent = clock_.steady_now();
    const auto found = TRY(store_.shards(Deadline::after(kStatementLimit, clock_)));
    server_clock_.observe(found.server_time, sent);
    std::vector<int> changed;
    for (const auto& state : found.shards) {
        const auto known = shards_.find(state.shard);
        if (known == shards_.end() || known->second.state.revision != state.revision ||
            state.watermark < known->second.state.watermark) {
            changed.push_back(state.shard);
        } else if (known->second.state.watermark != state.watermark) {
            known->second.owned = false;
            move_watermark(known->second, state.watermark);
        }
    }
    if (!changed.empty()) {
        TRY(load(changed));
    }
    next_refresh_ = clock_.steady_now() + options_.poll_interval;
    return {};
}

Result<void> Ticker::load(const std::vector<int>& numbers) {
    const auto sent = clock_.steady_now();
    auto found = TRY(store_.load(numbers, Deadline::after(kStatementLimit, clock_)));
    server_clock_.observe(found.server_time, sent);
    for (const auto& state : found.shards) {
        auto& shard = shards_[state.shard];
        shard.owned = shard.owned && shard.state.watermark == state.watermark;
        shard.state = state;
        shard.schedules.clear();
        shard.unreadable = 0;
    }
    for (auto& row : found.schedules) {
        auto& shard = shards_[row.shard];
        const auto name = row.definition.name;
        auto armed = ArmedSchedule::create(row.id, std::move(row.definition), row.armed_from);
        if (!armed) {
            // Written by a later release, perhaps; the replicas that can read it fire it.
            ++shard.unreadable;
            logging::error("schedule cannot be read and does not fire here", armed.error(),
                           {{"schedule", name}});
            continue;
        }
        shard.schedules.push_back({std::move(*armed), std::nullopt});
    }
    for (const auto& state : found.shards) {
        auto& shard = shards_[state.shard];
        for (auto& one : shard.schedules) {
            one.due = next_due(one.schedule, state.watermark);
        }
        move_watermark(shard, state.watermark);
    }
    return {};
}

void Ticker::move_watermark(Shard& shard, Instant watermark) {
    shard.state.watermark = watermark;
    shard.due.reset();
    for (auto& one : shard.schedules) {
        if (one.due && *one.due <= watermark) {
            one.due = next_due(one.schedule, watermark);
        }
        if (one.due && (!shard.due || *one.due < *shard.due)) {
            shard.due = one.due;
        }
    }
}

std::optional<SteadyTime> Ticker::wake_time(const Shard& shard) const {
    if (!shard.due) {
        return std::nullopt;
    }
    // A due time years ahead must not overflow the steady clock; the next refresh comes long
    // before.
    constexpr auto kFar = std::chrono::hours{24};
    const auto until = std::min<Instant::duration>(*shard.due - server_clock_.now(), kFar);
    const auto due =
        clock_.steady_now() + until + (shard.owned ? milliseconds{0} : options_.takeover_after);
    return std::max(due, shard.not_before);
}

Result<void> Ticker::tick(Shard& shard, std::stop_token stop) {
    const auto upto = server_clock_.now();
    std::vector<FireToMake> batch;
    for (const auto& one : shard.schedules) {
        if (!one.due || *one.due > upto) {
            continue;
        }
        const auto& definition = one.schedule.definition;
        for (auto& planned :
             plan(one.schedule, shard.state.watermark, upto, options_.missed_after)) {
            if (batch.size() == static_cast<std::size_t>(options_.batch_size)) {
                // The watermark stays until all of it is in: whoever has to go on plans the whole
                // again, and what is in already is kept as it is.
                if (stop.stop_requested() || !TRY(send(shard, upto, Store::Advance::no, batch))) {
                    return {};
                }
                batch.clear();
            }
            std::string payload = planned.outcome == Outcome::fired
                                      ? payload_of(one.schedule, planned.fire_time)
                                      : std::string{};
            batch.push_back({one.schedule.id, definition.name, definition.topic.has_value(),
                             std::move(payload), std::move(planned)});
        }
    }
    TRY(send(shard, upto, Store::Advance::yes, batch));
    return {};
}

/// True if the shard is still ours to go on with.
Result<bool> Ticker::send(Shard& shard, Instant upto, Store::Advance advance,
                          const std::vector<FireToMake>& fires) {
    const auto sent = clock_.steady_now();
    const auto reply = TRY(
        store_.tick(shard.state, upto, advance, fires, Deadline::after(kStatementLimit, clock_)));
    server_clock_.observe(reply.server_time, sent);
    metrics_.ticks.at(reply.status)->increment();
    switch (reply.status) {
        case TickStatus::done:
            shard.owned = true;
            count(reply, fires);
            if (advance == Store::Advance::yes) {
                move_watermark(shard, reply.watermark);
            }
            return true;
        case TickStatus::busy:
            // Another session has it. Leave it alone for a moment; until then nothing is lost.
            shard.owned = false;
            shard.not_before = clock_.steady_now() + options_.takeover_after;
            next_refresh_ = std::min(next_refresh_, shard.not_before);
            return false;
        case TickStatus::stale:
            // An edit or another replica came first: read what is new, then go on at once.
            next_refresh_ = clock_.steady_now();
            return false;
        case TickStatus::early:
            return false;  // the reply has corrected our idea of the server's clock
    }
    return false;
}

void Ticker::count(const TickReply& reply, const std::vector<FireToMake>& fires) {
    metrics_.fired.increment(static_cast<double>(reply.made));
    metrics_.failed.increment(static_cast<double>(reply.refused));
    for (const auto& fire : fires) {
        switch (fire.plan.outcome) {
            case Outcome::fired:
                metrics_.lateness.observe(seconds_of(reply.server_time - fire.plan.due_at));
                break;
            case Outcome::missed:
                metrics_.missed.increment(static_cast<double>(fire.plan.count));
                logging::warning("fires missed", {{"schedule", fire.schedule_name},
                                                  {"count", fire.plan.count},
                                                  {"reason", fire.plan.reason}});
                break;
            case Outcome::skipped:
                metrics_.skipped.increment(static_cast<double>(fire.plan.count));
                break;
        }
    }
    if (reply.refused > 0) {
        logging::error("fires failed: their job or event was refused; gantry.fire has the reasons",
                       {{"count", reply.refused}});
    }
}

void Ticker::show_gauges() {
    int active = 0;
    int paused = 0;
    int unreadable = 0;
    int owned = 0;
    for (const auto& [number, shard] : shards_) {
        const auto asleep = std::ranges::count_if(
            shard.schedules, [](const Planned& one) { return one.schedule.paused; });
        paused += static_cast<int>(asleep);
        active += static_cast<int>(shard.schedules.size()) - static_cast<int>(asleep);
        unreadable += shard.unreadable;
        owned += shard.owned ? 1 : 0;
    }
    metrics_.active.set(active);
    metrics_.paused.set(paused);
    metrics_.unreadable.set(unreadable);
    metrics_.owned.set(owned);
    metrics_.skew.set(seconds_of(server_clock_.skew()));
}

}  // namespace gantry::scheduler
