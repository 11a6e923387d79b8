#include "gantry/base/units.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

namespace gantry {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

// Longest suffix first where one begins like another.
constexpr std::array kDurationUnits{Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000},
                                    Unit{"s", 1'000}, Unit{"ms", 1}};
constexpr std::array kSizeUnits{Unit{"GiB", 1ULL << 30}, Unit{"MiB", 1ULL << 20},
                                Unit{"KiB", 1ULL << 10}, Unit{"B", 1}};

constexpr std::string_view kDurationAllowed = "a duration such as 250ms, 30s, 5m, 2h or 1m30s";
constexpr std::string_view kSizeAllowed = "a size such as 512B, 64KiB, 16MiB or 1GiB";

/// Reads a number from the front of `text` and removes it.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

/// Reads letters from the front of `text` and removes them.
std::string_view take_word(std::string_view& text) {
    std::size_t length = 0;
    while (length < text.size() && (text[length] < '0' || text[length] > '9')) {
        ++length;
    }
    const auto word = text.substr(0, length);
    text.remove_prefix(length);
    return word;
}

template <std::size_t N>
std::optional<std::uint64_t> factor_of(const std::array<Unit, N>& units, std::string_view name) {
    for (const auto& unit : units) {
        if (unit.name == name) {
            return unit.factor;
        }
    }
    return std::nullopt;
}

std::unexpected<Error> not_allowed(std::string_view allowed) {
    return fail(Code::invalid_argument, "must be " + std::string(allowed));
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    if (text == "0") {
        return std::chrono::milliseconds{0};
    }
    if (text.empty()) {
        return not_allowed(kDurationAllowed);
    }
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    std::uint64_t total = 0;
    while (!text.empty()) {
        const auto number = take_number(text);
        const auto factor = factor_of(kDurationUnits, take_word(text));
        if (!number || !factor || *number > (kMost - total) / *factor) {
            return not_allowed(kDurationAllowed);
        }
        total += *number * *factor;
    }
    return std::chrono::milliseconds{static_cast<std::int64_t>(total)};
}

std::string format_duration(std::chrono::milliseconds duration) {
    auto left = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
    if (left == 0) {
        return "0";
    }
    std::string text;
    for (const auto& unit : kDurationUnits) {
        if (const auto count = left / unit.factor; count > 0) {
            text += std::to_string(count);
            text += unit.name;
            left %= unit.factor;
        }
    }
    return text;
}

Result<ByteSize> parse_size(std::string_view text) {
    const auto number = take_number(text);
    if (number && *number == 0 && text.empty()) {
        return ByteSize{0};
    }
    const auto factor = factor_of(kSizeUnits, text);
    if (!number || !factor || *number > std::numeric_limits<std::uint64_t>::max() / *factor) {
        return not_allowed(kSizeAllowed);
    }
    return ByteSize{*number * *factor};
}

std::string format_size(ByteSize size) {
    for (const auto& unit : kSizeUnits) {
        if (size.bytes != 0 && size.bytes % unit.factor == 0) {
            return std::to_string(size.bytes / unit.factor) + std::string(unit.name);
        }
    }
    return std::to_string(size.bytes) + "B";
}

}  // namespace gantry
