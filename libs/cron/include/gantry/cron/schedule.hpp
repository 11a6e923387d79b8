#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"
#include "gantry/cron/fields.hpp"
#include "gantry/cron/time_zone.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::cron {

/// How many fields an expression has and what they mean. Every dialect also reads the macros
/// (`@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`) and `@every
/// 90s`.
enum class Dialect {
    automatic,  ///< five fields as `standard`, six as `seconds`
    standard,   ///< minute hour day-of-month month day-of-week, as Vixie cron and cronie
    seconds,    ///< the same with a second in front
};

std::string_view to_string(Dialect dialect);

/// Reads `automatic`, `standard` or `seconds`.
Result<Dialect> parse_dialect(std::string_view text);

/// When something happens: a parsed cron expression. An immutable value of about 80 bytes;
/// thread-safe.
///
/// Day-of-month and day-of-week: if both are restricted, a day matches when either does; if one
/// begins with `*`, both have to match (crontab(5)).
///
/// Daylight saving time, the rule of cronie and Cronos. An expression whose minute and hour are
/// fixed fires once at the transition if its local time is skipped, and only in the first copy of a
/// local time that comes twice. One whose minute or hour begins with `*` follows elapsed time: each
/// existing local time that matches is a fire, both copies included. Local times in a gap of more
/// than three hours (a zone that drops a whole day) do not happen.
class Schedule {
public:
    /// Reads an expression of at most 256 characters. Every `invalid_argument` names the field, its
    /// text and what is allowed. An expression that can never fire (`0 0 30 2 *`) is refused too.
    static Result<Schedule> parse(std::string_view text, Dialect dialect = Dialect::automatic);

    /// The first fire strictly after `after`, or nothing if there is none before the year 2262.
    [[nodiscard]] std::optional<Instant> next_after(Instant after, const TimeZone& zone) const;

    /// The last fire strictly before `before`, or nothing if there is none since 1700.
    [[nodiscard]] std::optional<Instant> previous_before(Instant before,
                                                         const TimeZone& zone) const;

    /// True if the fire at `fire` was moved to the end of a skipped local time.
    [[nodiscard]] bool moved_by_transition(Instant fire, const TimeZone& zone) const;

    /// What the expression means in plain English, for example `at 02:00 every day`.
    [[nodiscard]] std::string describe() const;

    /// The expression as it was written, without surrounding white space.
    [[nodiscard]] const std::string& text() const { return text_; }

    friend bool operator==(const Schedule& a, const Schedule& b) {
        return a.every_ == b.every_ && a.fields_ == b.fields_;
    }

private:
    Schedule() = default;

    // Constant after construction.
    std::string text_;
    Fields fields_;
    std::chrono::seconds every_{0};  // positive for @every, whose fires are multiples since 1970
};

}  // namespace gantry::cron
