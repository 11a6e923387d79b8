#include "gantry/base/time.hpp"

#include <charconv>
#include <cstdio>
#include <optional>

namespace gantry {
namespace {

using std::chrono::days;
using std::chrono::microseconds;

std::string format(Instant at, int digits) {
    const auto micros = std::chrono::floor<microseconds>(at);
    const auto day = std::chrono::floor<days>(micros);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{micros - day};
    const auto fraction =
        digits == 3 ? time.subseconds().count() / 1000 : time.subseconds().count();
    char buffer[64];
    const int length = std::snprintf(
        buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02d.%0*lldZ",
        static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
        static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()), digits,
        static_cast<long long>(fraction));
    return {buffer, static_cast<std::size_t>(length)};
}

/// Reads exactly `width` digits at the front of `text` and removes them.
std::optional<int> take_digits(std::string_view& text, std::size_t width) {
    if (text.size() < width) {
        return std::nullopt;
    }
    int value = 0;
    for (const char c : text.substr(0, width)) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        value = value * 10 + (c - '0');
    }
    text.remove_prefix(width);
    return value;
}

bool take(std::string_view& text, char wanted) {
    if (text.empty() || text.front() != wanted) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

/// A fraction of a second of one to nine digits after a dot, in nanoseconds; 0 without a dot.
std::optional<std::chrono::nanoseconds> take_fraction(std::string_view& text) {
    if (!take(text, '.')) {
        return std::chrono::nanoseconds{0};
    }
    std::int64_t value = 0;
    int digits = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9' && digits < 9) {
        value = value * 10 + (text.front() - '0');
        text.remove_prefix(1);
        ++digits;
    }
    if (digits == 0) {
        return std::nullopt;
    }
    for (; digits < 9; ++digits) {
        value *= 10;
    }
    return std::chrono::nanoseconds{value};
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
    if (take(text, 'Z') || take(text, 'z')) {
        return std::chrono::minutes{0};
    }
    const bool negative = !text.empty() && text.front() == '-';
    if (!take(text, '+') && !take(text, '-')) {
        return std::nullopt;
    }
    const auto hours = take_digits(text, 2);
    if (!hours || !take(text, ':')) {
        return std::nullopt;
    }
    const auto minutes = take_digits(text, 2);
    if (!minutes || *hours > 23 || *minutes > 59) {
        return std::nullopt;
    }
    const std::chrono::minutes offset{*hours * 60 + *minutes};
    return negative ? -offset : offset;
}

std::optional<Instant> parse(std::string_view text) {
    const auto year = take_digits(text, 4);
    if (!year || !take(text, '-')) {
        return std::nullopt;
    }
    const auto month = take_digits(text, 2);
    if (!month || !take(text, '-')) {
        return std::nullopt;
    }
    const auto day = take_digits(text, 2);
    if (!day || !(take(text, 'T') || take(text, 't') || take(text, ' '))) {
        return std::nullopt;
    }
    const auto hour = take_digits(text, 2);
    if (!hour || !take(text, ':')) {
        return std::nullopt;
    }
    const auto minute = take_digits(text, 2);
    if (!minute || !take(text, ':')) {
        return std::nullopt;
    }
    const auto second = take_digits(text, 2);
    if (!second) {
        return std::nullopt;
    }
    const auto fraction = take_fraction(text);
    const auto offset = fraction ? take_offset(text) : std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year{*year},
                                           std::chrono::month{static_cast<unsigned>(*month)},
                                           std::chrono::day{static_cast<unsigned>(*day)}};
    if (!offset || !text.empty() || !date.ok() || *hour > 23 || *minute > 59 || *second > 59) {
        return std::nullopt;
    }
    return std::chrono::time_point_cast<Instant::duration>(
        std::chrono::sys_days{date} + std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
        std::chrono::seconds{*second} + *fraction - *offset);
}

}  // namespace

std::string format_rfc3339(Instant at) {
    return format(at, 3);
}

std::string format_rfc3339_micros(Instant at) {
    return format(at, 6);
}

Result<Instant> parse_rfc3339(std::string_view text) {
    if (const auto instant = parse(text)) {
        return *instant;
    }
    return fail(Code::invalid_argument, "must be an RFC 3339 time such as 2026-01-31T02:00:00Z");
}

}  // namespace gantry
