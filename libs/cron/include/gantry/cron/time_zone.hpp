#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"

#include <absl/time/time.h>

#include <string>
#include <string_view>

namespace gantry::cron {

/// A time zone of the IANA database. A value, cheap to copy, thread-safe.
class TimeZone {
public:
    /// UTC, which needs no database.
    static TimeZone utc() { return TimeZone{absl::UTCTimeZone()}; }

    /// Loads `name`, for example `Europe/Berlin`. `invalid_argument` for a name that the machine's
    /// zone database (TZDIR, else /usr/share/zoneinfo) does not have; the machine's own zone is no
    /// name.
    static Result<TimeZone> load(std::string_view name);

    [[nodiscard]] std::string name() const { return zone_.name(); }
    [[nodiscard]] const absl::TimeZone& absl() const { return zone_; }

    /// Local time with its offset, for example `2026-02-03T02:00:00+01:00`.
    [[nodiscard]] std::string format(Instant at) const;

    /// The first instant of the local day `days` after the one that holds `at`.
    [[nodiscard]] Instant start_of_day(Instant at, int days = 0) const;

private:
    explicit TimeZone(absl::TimeZone zone) : zone_(zone) {}

    absl::TimeZone zone_;
};

}  // namespace gantry::cron
