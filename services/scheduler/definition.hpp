#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::scheduler {

/// What happens to fires that are found late, after the scheduler or the database was away.
enum class CatchUp { none, latest, all };

/// What span of time a fire reports on.
enum class DataInterval {
    since_previous,  ///< from the fire before to this one
    previous_day,    ///< the day before, in the schedule's time zone
};

std::string_view to_string(CatchUp policy);
std::string_view to_string(DataInterval interval);
Result<CatchUp> parse_catch_up(std::string_view text);
Result<DataInterval> parse_data_interval(std::string_view text);

/// A schedule as its owner wrote it. Exactly one of `queue` (it makes jobs) and `topic` (it makes
/// events) is set.
struct Definition {
    std::string name;
    std::string spec;
    std::string dialect = "automatic";
    std::string time_zone = "UTC";
    milliseconds jitter{0};
    CatchUp catch_up = CatchUp::latest;
    int catch_up_limit = 100;
    milliseconds catch_up_window = std::chrono::hours{24};
    DataInterval data_interval = DataInterval::since_previous;
    std::optional<std::string> queue;
    std::optional<std::string> topic;
    std::string type;
    std::optional<std::string> key;
    std::optional<std::string> payload;  ///< JSON template; see payload.hpp.
    std::optional<int> max_attempts;
    std::optional<bool> paused;  ///< Nothing: as it is, or not paused if it is new.
};

/// Every fault of `definition`, by field; empty if it can be used.
std::vector<FieldViolation> faults_of(const Definition& definition);

/// `definitions` as the JSON array that `gantry.schedule_apply` reads.
std::string to_json(const std::vector<Definition>& definitions);

/// What every installation has: `daily-report`, the report on the day before, at 02:00 UTC.
std::vector<Definition> builtin_schedules();

}  // namespace gantry::scheduler
