#include "gantry/cron/schedule.hpp"

#include "civil.hpp"
#include "parse.hpp"

#include <absl/time/civil_time.h>

#include <string>

namespace gantry::cron {
namespace {

using std::chrono::floor;
using std::chrono::seconds;
using std::chrono::sys_seconds;

// Instant counts nanoseconds in 64 bits: 1677 to 2262. A little inside on both ends, so that no sum
// overflows.
constexpr sys_seconds kEarliest = std::chrono::sys_days{std::chrono::year{1700} / 1 / 1};
constexpr sys_seconds kLatest = std::chrono::sys_days{std::chrono::year{2262} / 1 / 1};
constexpr Civil kCivilHorizon = std::chrono::local_days{std::chrono::year{2262} / 1 / 3};
// The calendar repeats after 400 years: what does not happen in this time never does.
constexpr Civil kCycleStart = std::chrono::local_days{std::chrono::year{2000} / 1 / 1};
constexpr Civil kCycleEnd = std::chrono::local_days{std::chrono::year{2400} / 1 / 1};
constexpr absl::Duration kLongestGap = absl::Hours(3);

const absl::CivilSecond kCivilEpoch{1970, 1, 1, 0, 0, 0};

Civil to_civil(absl::CivilSecond at) {
    return Civil{seconds{at - kCivilEpoch}};
}

absl::CivilSecond to_absl(Civil at) {
    return kCivilEpoch + at.time_since_epoch().count();
}

absl::Time to_absl(sys_seconds at) {
    return absl::FromUnixSeconds(at.time_since_epoch().count());
}

sys_seconds to_seconds(absl::Time at) {
    return sys_seconds{seconds{absl::ToUnixSeconds(at)}};
}

/// An expression with a fixed hour and minute: every matching local time happens once, where
/// `happens(local)` never decreases. A skipped one happens at the transition, a repeated one in its
/// first copy.
std::optional<sys_seconds> next_fixed(const Fields& fields, sys_seconds after,
                                      const absl::TimeZone& zone) {
    const auto local = zone.At(to_absl(after)).cs;
    Civil from = to_civil(local) + seconds{1};
    if (const auto info = zone.At(local);
        info.kind == absl::TimeZone::TimeInfo::REPEATED && to_absl(after) >= info.trans) {
        // In the second copy: every local time up to the end of the overlap has happened.
        from =
            to_civil(zone.At(info.trans).cs) + seconds{absl::ToInt64Seconds(info.post - info.pre)};
    }
    while (const auto match = first_match(fields, from, kCivilHorizon)) {
        const auto info = zone.At(to_absl(*match));
        if (info.kind != absl::TimeZone::TimeInfo::SKIPPED) {
            return to_seconds(info.pre);
        }
        // `pre` uses the offset before the gap and lands after it, `post` the other way round.
        if (const auto gap = info.pre - info.post; gap <= kLongestGap) {
            if (to_seconds(info.trans) > after) {
                return to_seconds(info.trans);
            }
        }
        from = to_civil(zone.At(info.trans).cs);
    }
    return std::nullopt;
}

/// An expression with a wildcard hour or minute: every instant whose local time matches. Walks the
/// stretches between two changes of the zone's offset, inside which local time runs evenly.
std::optional<sys_seconds> next_elapsed(const Fields& fields, sys_seconds after,
                                        const absl::TimeZone& zone) {
    sys_seconds from = after + seconds{1};
    while (from < kLatest) {
        const auto start = to_civil(zone.At(to_absl(from)).cs);
        const auto match = first_match(fields, start, kCivilHorizon);
        if (!match) {
            return std::nullopt;
        }
        const auto candidate = from + (*match - start);
        absl::TimeZone::CivilTransition change;
        // NextTransition looks strictly after its argument; a change at `from` itself is part of
        // `start`.
        if (!zone.NextTransition(to_absl(from), &change)) {
            return candidate;
        }
        const auto info = zone.At(change.to);
        const auto changes_at =
            to_seconds(info.kind == absl::TimeZone::TimeInfo::REPEATED ? info.trans : info.pre);
        if (candidate < changes_at || changes_at <= from) {
            return candidate;
        }
        from = changes_at;
    }
    return std::nullopt;
}

bool follows_elapsed_time(const Fields& fields) {
    return fields.hours_star || fields.minutes_star;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t";
    const auto begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace

std::string_view to_string(Dialect dialect) {
    switch (dialect) {
        case Dialect::automatic:
            return "automatic";
        case Dialect::standard:
            return "standard";
        case Dialect::seconds:
            return "seconds";
    }
    return "automatic";
}

Result<Dialect> parse_dialect(std::string_view text) {
    for (const auto dialect : {Dialect::automatic, Dialect::standard, Dialect::seconds}) {
        if (text == to_string(dialect)) {
            return dialect;
        }
    }
    return invalid("dialect", "must be automatic, standard (five fields) or seconds (six fields)");
}

Result<Schedule> Schedule::parse(std::string_view text, Dialect dialect) {
    text = trimmed(text);
    const auto parsed = TRY(parse_expression(text, dialect));
    Schedule schedule;
    schedule.text_ = text;
    if (const auto* every = std::get_if<seconds>(&parsed)) {
        schedule.every_ = *every;
        return schedule;
    }
    schedule.fields_ = std::get<Fields>(parsed);
    if (!first_match(schedule.fields_, kCycleStart, kCycleEnd)) {
        return invalid("day-of-month",
                       "\"" + schedule.text_ +
                           "\" can never fire: none of its months has such a day; allowed "
                           "are days that exist, for example 1-29 in month 2");
    }
    return schedule;
}

std::optional<Instant> Schedule::next_after(Instant after, const TimeZone& zone) const {
    const auto start = std::max(floor<seconds>(after), kEarliest);
    if (start >= kLatest) {
        return std::nullopt;
    }
    std::optional<sys_seconds> next;
    if (every_ > seconds{0}) {
        const auto periods =
            std::chrono::floor<std::chrono::seconds>(start.time_since_epoch()).count();
        const auto length = every_.count();
        const auto done = periods >= 0 ? periods / length : -((-periods + length - 1) / length);
        next = sys_seconds{seconds{(done + 1) * length}};
    } else if (follows_elapsed_time(fields_)) {
        next = next_elapsed(fields_, start, zone.absl());
    } else {
        next = next_fixed(fields_, start, zone.absl());
    }
    if (!next || *next >= kLatest) {
        return std::nullopt;
    }
    return Instant{*next};
}

std::optional<Instant> Schedule::previous_before(Instant before, const TimeZone& zone) const {
    const auto limit = std::min(std::chrono::ceil<seconds>(before), kLatest);
    if (limit <= kEarliest) {
        return std::nullopt;
    }
    const auto fires_between = [&](sys_seconds from) -> std::optional<Instant> {
        const auto next = next_after(Instant{from}, zone);
        return next && *next < before ? next : std::nullopt;
    };
    // Double the way back until there is a fire in it, then halve to the last second with one after
    // it.
    sys_seconds low = limit;
    for (seconds back{1}; !fires_between(low); back *= 2) {
        if (low <= kEarliest) {
            return std::nullopt;
        }
        low = std::max(kEarliest, limit - back);
    }
    sys_seconds high = limit;
    while (high - low > seconds{1}) {
        const auto middle = low + (high - low) / 2;
        (fires_between(middle) ? low : high) = middle;
    }
    return fires_between(low);
}

bool Schedule::moved_by_transition(Instant fire, const TimeZone& zone) const {
    if (every_ > seconds{0}) {
        return false;
    }
    return !matches(fields_, to_civil(zone.absl().At(to_absl(floor<seconds>(fire))).cs));
}

}  // namespace gantry::cron
