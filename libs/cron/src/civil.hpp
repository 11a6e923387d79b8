#pragma once

#include "gantry/cron/fields.hpp"

#include <chrono>
#include <optional>

namespace gantry::cron {

/// Local time without a zone, in seconds since 1970-01-01T00:00:00 of the same local calendar.
using Civil = std::chrono::local_seconds;

/// True if the local time `at` is one of `fields`.
bool matches(const Fields& fields, Civil at);

/// The first local time at or after `from` that matches and lies before `horizon`. Jumps from field
/// to field: the work is bounded by the months between `from` and the answer.
std::optional<Civil> first_match(const Fields& fields, Civil from, Civil horizon);

}  // namespace gantry::cron
