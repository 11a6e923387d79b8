#pragma once

#include "definition.hpp"
#include "gantry/base/uuid.hpp"
#include "gantry/cron/schedule.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gantry::scheduler {

/// A schedule that can fire: its row, parsed. Constant after construction.
struct ArmedSchedule {
    Uuid id;
    Definition definition;
    cron::Schedule spec;
    cron::TimeZone zone;
    bool paused = false;
    Instant armed_from;  ///< Only nominal times after this fire.

    /// Parses the definition. An error if this release cannot read it.
    static Result<ArmedSchedule> create(Uuid id, Definition definition, Instant armed_from);
};

enum class Outcome { fired, missed, skipped };
std::string_view to_string(Outcome outcome);

/// What is decided about one due time, or about a run of misses that one row stands for.
struct PlannedFire {
    Instant fire_time;        ///< The nominal time; of a run, its newest.
    Instant due_at;           ///< The nominal time and its jitter.
    Instant first_fire_time;  ///< The oldest nominal time of a run.
    std::int64_t count = 1;
    Outcome outcome = Outcome::fired;
    std::string reason;
};

/// When the fire of the nominal time `fire_time` is due. The jitter is a hash of schedule and time,
/// so every replica agrees on it.
Instant due_at(const ArmedSchedule& schedule, Instant fire_time);

/// The first moment after `watermark` at which the schedule is due.
std::optional<Instant> next_due(const ArmedSchedule& schedule, Instant watermark);

/// Decides every fire that is due after `watermark` and by `now`. A fire that is due longer ago
/// than `missed_after` is late: the catch-up policy says what happens to it.
std::vector<PlannedFire> plan(const ArmedSchedule& schedule, Instant watermark, Instant now,
                              milliseconds missed_after);

/// The payload of a fire that the plan makes.
std::string payload_of(const ArmedSchedule& schedule, Instant fire_time);

}  // namespace gantry::scheduler
