#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace gantry::scheduler {

/// What a payload may say about its fire.
struct FireValues {
    std::string schedule;         ///< The schedule's name.
    Instant fire_time;            ///< The nominal time.
    std::string scheduled_local;  ///< The nominal time in the schedule's zone, with offset.
    std::optional<Instant> previous_fire;  ///< The nominal time before it.
    Instant data_interval_start;
    Instant data_interval_end;
};

/// Refuses a template that is not JSON of at most 64 KiB or that names an unknown value. The values
/// are written `{{schedule}}`, `{{fire_time}}`, `{{scheduled_local}}`, `{{previous_fire}}`,
/// `{{data_interval_start}}` and `{{data_interval_end}}`, inside strings.
Result<void> check_template(std::string_view json);

/// The payload of one fire: the template with its values filled in (a missing previous fire is
/// empty), or, without a template, an object of all values in camelCase.
std::string render_payload(const std::optional<std::string>& json_template,
                           const FireValues& values);

}  // namespace gantry::scheduler
