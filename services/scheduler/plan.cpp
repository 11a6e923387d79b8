#include "plan.hpp"

#include "payload.hpp"

#include <algorithm>
#include <deque>
#include <utility>

namespace gantry::scheduler {
namespace {

constexpr std::int64_t kMostCounted = 10'000;

/// A stretch of due times with one fate, kept as one row.
class Run {
public:
    Run(Outcome outcome, std::string reason) : outcome_(outcome), reason_(std::move(reason)) {}

    void add(Instant fire_time, Instant due) {
        first_ = count_ == 0 ? fire_time : first_;
        last_ = fire_time;
        due_ = due;
        ++count_;
    }

    [[nodiscard]] bool full() const { return count_ >= kMostCounted; }

    void append_to(std::vector<PlannedFire>& fires) const {
        if (count_ > 0) {
            fires.push_back({last_, due_, first_, count_, outcome_, reason_});
        }
    }

private:
    Outcome outcome_;
    std::string reason_;
    Instant first_;
    Instant last_;
    Instant due_;
    std::int64_t count_ = 0;
};

std::size_t kept_by(const Definition& definition) {
    switch (definition.catch_up) {
        case CatchUp::none:
            return 0;
        case CatchUp::latest:
            return 1;
        case CatchUp::all:
            return static_cast<std::size_t>(definition.catch_up_limit);
    }
    return 0;
}

std::string reason_not_kept(const Definition& definition) {
    switch (definition.catch_up) {
        case CatchUp::none:
            return "late, and catch-up is none";
        case CatchUp::latest:
            return "late, and a later fire was due";
        case CatchUp::all:
            return "late, and over the catch-up limit";
    }
    return {};
}

PlannedFire fire(const ArmedSchedule& schedule, Instant fire_time, Instant due) {
    const bool moved = schedule.spec.moved_by_transition(fire_time, schedule.zone);
    return {fire_time,      due,
            fire_time,      1,
            Outcome::fired, moved ? "moved to the end of a skipped local time" : ""};
}

/// splitmix64's last step: every bit of the input moves every bit of the output.
std::uint64_t mixed(std::uint64_t x) {
    x += 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
}

/// The nominal times that can be due after `watermark` are after this.
Instant first_candidate(const ArmedSchedule& schedule, Instant watermark) {
    return std::max(schedule.armed_from, watermark - schedule.definition.jitter);
}

}  // namespace

Result<ArmedSchedule> ArmedSchedule::create(Uuid id, Definition definition, Instant armed_from) {
    const auto dialect = TRY(cron::parse_dialect(definition.dialect));
    auto spec = TRY(cron::Schedule::parse(definition.spec, dialect));
    auto zone = TRY(cron::TimeZone::load(definition.time_zone));
    const bool is_paused = definition.paused.value_or(false);
    return ArmedSchedule{id, std::move(definition), std::move(spec), zone, is_paused, armed_from};
}

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::fired:
            return "fired";
        case Outcome::missed:
            return "missed";
        case Outcome::skipped:
            return "skipped";
    }
    return "fired";
}

Instant due_at(const ArmedSchedule& schedule, Instant fire_time) {
    const auto jitter = schedule.definition.jitter;
    if (jitter <= milliseconds{0}) {
        return fire_time;
    }
    auto hash = mixed(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(fire_time.time_since_epoch()).count()));
    for (const auto byte : schedule.id.bytes()) {
        hash = mixed(hash ^ byte);
    }
    return fire_time + milliseconds{static_cast<std::int64_t>(
                           hash % static_cast<std::uint64_t>(jitter.count()))};
}

std::optional<Instant> next_due(const ArmedSchedule& schedule, Instant watermark) {
    std::optional<Instant> best;
    auto nominal = schedule.spec.next_after(first_candidate(schedule, watermark), schedule.zone);
    while (nominal && (!best || *nominal < *best)) {
        const auto due = due_at(schedule, *nominal);
        if (due > watermark && (!best || due < *best)) {
            best = due;
        }
        nominal = schedule.spec.next_after(*nominal, schedule.zone);
    }
    return best;
}

std::vector<PlannedFire> plan(const ArmedSchedule& schedule, Instant watermark, Instant now,
                              milliseconds missed_after) {
    const auto& definition = schedule.definition;
    const auto late_before = now - missed_after;
    const auto window_start = std::min(late_before, now - definition.catch_up_window);
    const auto keep = kept_by(definition);
    Run paused(Outcome::skipped, "paused");
    Run outside(Outcome::missed, "late, and outside the catch-up window");
    Run left_out(Outcome::missed, reason_not_kept(definition));
    std::deque<std::pair<Instant, Instant>> late;
    std::vector<PlannedFire> on_time;

    const auto next = [&](Instant after) { return schedule.spec.next_after(after, schedule.zone); };
    auto nominal = next(first_candidate(schedule, watermark));
    while (nominal && *nominal <= now) {
        const auto due = due_at(schedule, *nominal);
        auto after = *nominal;
        if (due <= watermark || due > now) {
            // decided before, or not yet
        } else if (schedule.paused) {
            paused.add(*nominal, due);
            // More than that is not counted: go on just before now.
            after = paused.full() ? std::max(after, late_before - definition.jitter) : after;
        } else if (due < window_start) {
            outside.add(*nominal, due);
            after = outside.full() ? std::max(after, window_start - definition.jitter) : after;
        } else if (due < late_before) {
            late.emplace_back(*nominal, due);
            if (late.size() > keep) {
                left_out.add(late.front().first, late.front().second);
                late.pop_front();
            }
        } else {
            on_time.push_back(fire(schedule, *nominal, due));
        }
        nominal = next(after);
    }
    if (definition.catch_up == CatchUp::latest && !on_time.empty()) {
        for (; !late.empty(); late.pop_front()) {
            left_out.add(late.front().first, late.front().second);
        }
    }

    std::vector<PlannedFire> fires;
    paused.append_to(fires);
    outside.append_to(fires);
    left_out.append_to(fires);
    for (const auto& [fire_time, due] : late) {
        fires.push_back(fire(schedule, fire_time, due));
    }
    fires.insert(fires.end(), on_time.begin(), on_time.end());
    return fires;
}

std::string payload_of(const ArmedSchedule& schedule, Instant fire_time) {
    FireValues values;
    values.schedule = schedule.definition.name;
    values.fire_time = fire_time;
    values.scheduled_local = schedule.zone.format(fire_time);
    values.previous_fire = schedule.spec.previous_before(fire_time, schedule.zone);
    if (schedule.definition.data_interval == DataInterval::previous_day) {
        values.data_interval_start = schedule.zone.start_of_day(fire_time, -1);
        values.data_interval_end = schedule.zone.start_of_day(fire_time);
    } else {
        values.data_interval_start = values.previous_fire.value_or(fire_time);
        values.data_interval_end = fire_time;
    }
    return render_payload(schedule.definition.payload, values);
}

}  // namespace gantry::scheduler
