#include "civil.hpp"

#include <bit>

namespace gantry::cron {
namespace {

using namespace std::chrono;

/// The lowest value of `mask` that is at least `from`, or -1.
int lowest(std::uint64_t mask, int from) {
    if (from > 63) {
        return -1;
    }
    const auto left = mask & (~std::uint64_t{0} << from);
    return left == 0 ? -1 : std::countr_zero(left);
}

/// The days of one month that match, bit n for day n.
std::uint64_t matching_days(const Fields& fields, year_month month) {
    const auto first = local_days{month / 1};
    const auto first_weekday = weekday{first}.c_encoding();
    // Seven bits of the week, rotated so that bit 0 is the weekday of day 1, then repeated.
    const std::uint64_t week = fields.days_of_week;
    const auto rotated = ((week >> first_weekday) | (week << (7 - first_weekday))) & 0x7F;
    const auto by_week = (rotated | rotated << 7 | rotated << 14 | rotated << 21 | rotated << 28)
                         << 1;
    const std::uint64_t by_month = fields.days_of_month;
    const bool both_needed = fields.days_of_month_star || fields.days_of_week_star;
    const auto days = both_needed ? by_week & by_month : by_week | by_month;
    const auto length = static_cast<unsigned>((month / last).day());
    return days & ((std::uint64_t{2} << length) - 2);
}

/// The first time of day at or after `from` that matches, or nothing when the day has no more.
std::optional<seconds> first_time(const Fields& fields, seconds from) {
    const hh_mm_ss<seconds> start{from};
    int hour = static_cast<int>(start.hours().count());
    int minute = static_cast<int>(start.minutes().count());
    int second = lowest(fields.seconds, static_cast<int>(start.seconds().count()));
    if (second < 0) {
        ++minute;
    }
    const int matching_minute = lowest(fields.minutes, minute);
    if (matching_minute != minute) {
        second = -1;
    }
    minute = matching_minute;
    if (minute < 0) {
        ++hour;
    }
    const int matching_hour = lowest(fields.hours, hour);
    if (matching_hour < 0) {
        return std::nullopt;
    }
    if (matching_hour != hour || minute < 0) {
        minute = lowest(fields.minutes, 0);
        second = -1;
    }
    if (second < 0) {
        second = lowest(fields.seconds, 0);
    }
    return hours{matching_hour} + minutes{minute} + seconds{second};
}

}  // namespace

bool matches(const Fields& fields, Civil at) {
    return first_match(fields, at, at + seconds{1}).has_value();
}

std::optional<Civil> first_match(const Fields& fields, Civil from, Civil horizon) {
    const auto today = floor<days>(from);
    const year_month_day date{today};
    year_month month{date.year(), date.month()};
    int day = static_cast<int>(static_cast<unsigned>(date.day()));

    // What is left of today; from then on every day counts from its start.
    if (fields.months >> static_cast<unsigned>(date.month()) & 1) {
        if (matching_days(fields, month) >> day & 1) {
            if (const auto time = first_time(fields, from - today)) {
                const auto found = today + *time;
                return found < horizon ? std::optional<Civil>{found} : std::nullopt;
            }
        }
        ++day;
    } else {
        day = 1;
    }
    const auto time = *first_time(fields, seconds{0});
    while (local_days{month / 1} < horizon) {
        if (fields.months >> static_cast<unsigned>(month.month()) & 1) {
            const int match = lowest(matching_days(fields, month), day);
            if (match > 0) {
                const auto found = local_days{month / match} + time;
                return found < horizon ? std::optional<Civil>{found} : std::nullopt;
            }
        }
        day = 1;
        month += months{1};
    }
    return std::nullopt;
}

}  // namespace gantry::cron
