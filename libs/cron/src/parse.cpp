#include "parse.hpp"

#include "gantry/base/units.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gantry::cron {
namespace {

using std::chrono::seconds;

constexpr std::size_t kLongestExpression = 256;
constexpr seconds kLongestPeriod = std::chrono::days{366};

constexpr std::array<std::string_view, 12> kMonthNames{"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                       "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> kDayNames{"SUN", "MON", "TUE", "WED",
                                                    "THU", "FRI", "SAT"};

/// One field's name and values.
struct FieldRule {
    std::string_view name;
    int min;
    int max;    // the largest value that may be written
    int count;  // how many different values there are: the length of a turn
    std::span<const std::string_view> names;
    std::string_view allowed;
};

constexpr FieldRule kSecond{"second", 0, 59, 60, {}, "0-59"};
constexpr FieldRule kMinute{"minute", 0, 59, 60, {}, "0-59"};
constexpr FieldRule kHour{"hour", 0, 23, 24, {}, "0-23"};
constexpr FieldRule kDayOfMonth{"day-of-month", 1, 31, 31, {}, "1-31"};
constexpr FieldRule kMonth{"month", 1, 12, 12, kMonthNames, "1-12 or JAN-DEC"};
constexpr FieldRule kDayOfWeek{
    "day-of-week", 0, 7, 7, kDayNames, "0-7 (0 and 7 are Sunday) or SUN-SAT"};

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kMacros{{
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
    {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
}};

constexpr char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool same_word(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) {
        return false;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (upper(a[i]) != upper(b[i])) {
            return false;
        }
    }
    return true;
}

/// The text in quotes, with anything that is not printable ASCII shown as `?`.
std::string quoted(std::string_view text) {
    constexpr std::size_t kShown = 40;
    std::string out = "\"";
    for (const char c : text.substr(0, kShown)) {
        out += c >= ' ' && c <= '~' ? c : '?';
    }
    if (text.size() > kShown) {
        out += "...";
    }
    return out + "\"";
}

std::unexpected<Error> fault(const FieldRule& rule, std::string_view text, std::string_view why) {
    return invalid(std::string(rule.name), quoted(text) + " " + std::string(why) +
                                               "; allowed are " + std::string(rule.allowed) +
                                               ", *, ranges a-b, steps /n and lists a,b");
}

std::unexpected<Error> fault(std::string_view text, std::string_view why) {
    return invalid("expression", quoted(text) + " " + std::string(why));
}

std::vector<std::string_view> split_white_space(std::string_view text) {
    std::vector<std::string_view> words;
    constexpr std::string_view kSpace = " \t";
    for (auto at = text.find_first_not_of(kSpace); at != std::string_view::npos;
         at = text.find_first_not_of(kSpace, at)) {
        const auto end = std::min(text.find_first_of(kSpace, at), text.size());
        words.push_back(text.substr(at, end - at));
        at = end;
    }
    return words;
}

std::optional<int> number(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.front() == '-') {
        return std::nullopt;
    }
    return value;
}

Result<int> parse_value(const FieldRule& rule, std::string_view text, std::string_view item) {
    if (text.empty()) {
        return fault(rule, item, "lacks a value");
    }
    for (std::size_t i = 0; i < rule.names.size(); ++i) {
        if (same_word(text, rule.names[i])) {
            return rule.min + static_cast<int>(i);
        }
    }
    if (text.find_first_not_of("0123456789") != std::string_view::npos) {
        return fault(rule, item, "is not a value");
    }
    const auto value = number(text);
    if (!value || *value < rule.min || *value > rule.max) {
        return fault(rule, item, "is out of range");
    }
    return *value;
}

Result<int> parse_step(const FieldRule& rule, std::string_view text, std::string_view item) {
    const auto step = text.empty() ? std::nullopt : number(text);
    if (!step || *step < 1 || *step >= rule.count) {
        return fault(rule, item, "needs a step of 1-" + std::to_string(rule.count - 1));
    }
    return *step;
}

/// One item of a list: `*`, `a`, `a-b`, each with an optional step. Sets its bits in `mask`.
Result<void> parse_item(const FieldRule& rule, std::string_view item, std::uint64_t& mask) {
    if (item.empty()) {
        return fault(rule, item, "is an empty item");
    }
    const auto slash = item.find('/');
    const auto range = item.substr(0, slash);
    const bool stepped = slash != std::string_view::npos;
    const int step = stepped ? TRY(parse_step(rule, item.substr(slash + 1), item)) : 1;

    int first = rule.min;
    int last = rule.min + rule.count - 1;
    if (range != "*") {
        const auto dash = range.find('-');
        first = TRY(parse_value(rule, range.substr(0, dash), item));
        if (dash != std::string_view::npos) {
            last = TRY(parse_value(rule, range.substr(dash + 1), item));
        } else if (!stepped) {
            last = first;
        }
        if (last < first) {
            last += rule.count;  // around the end: 22-2, FRI-MON, NOV-FEB
        }
    }
    for (int value = first; value <= last; value += step) {
        mask |= std::uint64_t{1} << (rule.min + (value - rule.min) % rule.count);
    }
    return {};
}

Result<std::uint64_t> parse_field(const FieldRule& rule, std::string_view text) {
    std::uint64_t mask = 0;
    std::size_t at = 0;
    while (true) {
        const auto comma = std::min(text.find(',', at), text.size());
        TRY(parse_item(rule, text.substr(at, comma - at), mask));
        if (comma == text.size()) {
            return mask;
        }
        at = comma + 1;
    }
}

bool is_star(std::string_view text) {
    return text.starts_with('*');
}

Result<Fields> parse_fields(std::span<const std::string_view> words) {
    Fields fields;
    if (words.size() == 6) {
        fields.seconds = TRY(parse_field(kSecond, words[0]));
        fields.seconds_star = is_star(words[0]);
        words = words.subspan(1);
    }
    fields.minutes = TRY(parse_field(kMinute, words[0]));
    fields.hours = static_cast<std::uint32_t>(TRY(parse_field(kHour, words[1])));
    fields.days_of_month = static_cast<std::uint32_t>(TRY(parse_field(kDayOfMonth, words[2])));
    fields.months = static_cast<std::uint32_t>(TRY(parse_field(kMonth, words[3])));
    fields.days_of_week = static_cast<std::uint32_t>(TRY(parse_field(kDayOfWeek, words[4])));
    fields.minutes_star = is_star(words[0]);
    fields.hours_star = is_star(words[1]);
    fields.days_of_month_star = is_star(words[2]);
    fields.days_of_week_star = is_star(words[4]);
    return fields;
}

Result<seconds> parse_every(std::string_view text, std::string_view period) {
    constexpr std::string_view kAllowed =
        "needs a period of whole seconds from 1s to 366d, as in @every 90s";
    const auto duration = parse_duration(period);
    if (!duration || *duration % seconds{1} != milliseconds{0} || *duration < seconds{1} ||
        *duration > kLongestPeriod) {
        return fault(text, kAllowed);
    }
    return std::chrono::duration_cast<seconds>(*duration);
}

Result<Parsed> parse_macro(std::string_view text, std::span<const std::string_view> words) {
    if (same_word(words[0], "@every")) {
        return TRY(parse_every(text, words.size() == 2 ? words[1] : std::string_view{}));
    }
    if (words.size() == 1) {
        for (const auto& [macro, meaning] : kMacros) {
            if (same_word(words[0], macro)) {
                return TRY(parse_fields(split_white_space(meaning)));
            }
        }
    }
    return fault(text,
                 "is no macro; allowed are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, "
                 "@annually and @every with a period");
}

}  // namespace

Result<Parsed> parse_expression(std::string_view text, Dialect dialect) {
    if (text.size() > kLongestExpression) {
        return fault(text, "is longer than 256 characters");
    }
    const auto words = split_white_space(text);
    if (words.empty()) {
        return fault(
            text, "is empty; five fields are needed: minute hour day-of-month month day-of-week");
    }
    if (words[0].starts_with('@')) {
        return parse_macro(text, words);
    }
    const std::string has = "has " + std::to_string(words.size()) + " fields; ";
    const bool five = words.size() == 5;
    const bool six = words.size() == 6;
    if (dialect == Dialect::standard && !five) {
        return fault(text, has + "five are needed: minute hour day-of-month month day-of-week");
    }
    if (dialect == Dialect::seconds && !six) {
        return fault(text,
                     has + "six are needed: second minute hour day-of-month month day-of-week");
    }
    if (!five && !six) {
        return fault(text,
                     has +
                         "five are needed (minute hour day-of-month month day-of-week), or six "
                         "with the second in front");
    }
    return TRY(parse_fields(words));
}

}  // namespace gantry::cron
