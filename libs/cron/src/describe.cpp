#include "gantry/base/units.hpp"
#include "gantry/cron/schedule.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

namespace gantry::cron {
namespace {

constexpr std::array<std::string_view, 13> kMonths{
    "",     "January", "February",  "March",   "April",    "May",     "June",
    "July", "August",  "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                "Thursday", "Friday", "Saturday"};

/// A field of an expression with the number of its smallest and largest value.
struct Values {
    std::uint64_t mask;
    int min;
    int max;

    [[nodiscard]] bool has(int value) const { return (mask >> value & 1) != 0; }
    [[nodiscard]] bool single() const { return std::popcount(mask) == 1; }
    [[nodiscard]] bool zero() const { return mask == 1; }
    [[nodiscard]] bool all() const { return std::popcount(mask) == max - min + 1; }
    [[nodiscard]] int first() const { return std::countr_zero(mask); }

    /// n where the values are every n-th from the smallest, n > 1 and at least three of them; else
    /// 0.
    [[nodiscard]] int step() const {
        for (int n = 2; n <= (max - min) / 2; ++n) {
            std::uint64_t expected = 0;
            for (int value = min; value <= max; value += n) {
                expected |= std::uint64_t{1} << value;
            }
            if (mask == expected) {
                return n;
            }
        }
        return 0;
    }
};

std::string name_of(int value, std::span<const std::string_view> names) {
    return names.empty() ? std::to_string(value)
                         : std::string(names[static_cast<std::size_t>(value)]);
}

std::string joined(const std::vector<std::string>& parts) {
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        out += i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ";
        out += parts[i];
    }
    return out;
}

/// The values as a list in which three or more neighbours become a range.
std::string listed(const Values& values, std::span<const std::string_view> names = {}) {
    std::vector<std::string> parts;
    for (int value = values.min; value <= values.max; ++value) {
        if (!values.has(value)) {
            continue;
        }
        int end = value;
        while (end < values.max && values.has(end + 1)) {
            ++end;
        }
        if (end - value >= 2) {
            parts.push_back(name_of(value, names) + " to " + name_of(end, names));
            value = end;
        } else {
            parts.push_back(name_of(value, names));
        }
    }
    return joined(parts);
}

std::string clock_time(int hour, int minute, int second) {
    std::array<char, 32> text{};
    const auto* format = second == 0 ? "%02d:%02d" : "%02d:%02d:%02d";
    const auto length = std::snprintf(text.data(), text.size(), format, hour, minute, second);
    return {text.data(), static_cast<std::size_t>(length)};
}

std::string fires_of(const Values& values, std::string_view unit) {
    if (values.all()) {
        return "every " + std::string(unit);
    }
    if (const int n = values.step(); n > 0) {
        return "every " + std::to_string(n) + " " + std::string(unit) + "s";
    }
    return "at " + std::string(unit) + " " + listed(values);
}

std::string times(const Fields& fields) {
    const Values seconds{fields.seconds, 0, 59};
    const Values minutes{fields.minutes, 0, 59};
    const Values hours{fields.hours, 0, 23};
    constexpr int kMostClockTimes = 4;
    if (seconds.single() && minutes.single() && std::popcount(fields.hours) <= kMostClockTimes) {
        std::vector<std::string> parts;
        for (int hour = 0; hour <= hours.max; ++hour) {
            if (hours.has(hour)) {
                parts.push_back(clock_time(hour, minutes.first(), seconds.first()));
            }
        }
        return "at " + joined(parts);
    }
    std::string out;
    if (!seconds.zero()) {
        out = fires_of(seconds, "second");
    }
    const bool hour_is_whole = seconds.zero() && minutes.zero();
    if (!hour_is_whole && (seconds.zero() || !minutes.all())) {
        out += out.empty() ? "" : " of ";
        out += out.empty() ? fires_of(minutes, "minute") : "minute " + listed(minutes);
    }
    if (hour_is_whole) {
        return fires_of(hours, "hour") + (hours.all() || hours.step() > 0 ? "" : ", on the hour");
    }
    if (!hours.all()) {
        out += " during hour " + listed(hours);
    }
    return out;
}

std::string days(const Fields& fields) {
    const Values of_month{fields.days_of_month, 1, 31};
    const Values of_week{fields.days_of_week, 0, 6};
    const bool both_needed = fields.days_of_month_star || fields.days_of_week_star;
    const bool any_day =
        both_needed ? of_month.all() && of_week.all() : of_month.all() || of_week.all();
    if (any_day) {
        return {};
    }
    const auto by_month = "on day " + listed(of_month) + " of the month";
    const auto by_week = "on " + listed(of_week, kDays);
    if (both_needed && of_week.all()) {
        return by_month;
    }
    if (both_needed && of_month.all()) {
        return by_week;
    }
    return by_month + (both_needed ? " if it is also " : " or ") + by_week;
}

}  // namespace

std::string Schedule::describe() const {
    if (every_ > std::chrono::seconds{0}) {
        return "every " + format_duration(every_) + ", counted from 1970-01-01T00:00:00Z";
    }
    std::string out = times(fields_);
    const auto on_days = days(fields_);
    const Values months{fields_.months, 1, 12};
    if (!on_days.empty()) {
        out += ", " + on_days;
    } else if (out.starts_with("at ")) {
        out += " every day";
    }
    if (!months.all()) {
        out += " in " + listed(months, kMonths);
    }
    return out;
}

}  // namespace gantry::cron
