#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"

#include <string>
#include <string_view>

namespace gantry {

/// RFC 3339 in UTC with milliseconds, for example `2026-01-31T02:00:00.000Z`.
std::string format_rfc3339(Instant at);

/// RFC 3339 in UTC with microseconds, PostgreSQL's resolution.
std::string format_rfc3339_micros(Instant at);

/// Reads RFC 3339 with any offset and up to nine fraction digits. `invalid_argument` otherwise.
Result<Instant> parse_rfc3339(std::string_view text);

}  // namespace gantry
