#pragma once

#include "gantry/base/result.hpp"

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace gantry {

/// Reads `250ms`, `30s`, `5m`, `2h`, `1d` or a sum such as `1m30s`. A number without a unit is
/// refused (except `0`), so that nobody guesses. The error says what is allowed.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// The shortest form that `parse_duration` reads back, for example `1m30s`.
std::string format_duration(std::chrono::milliseconds duration);

/// A number of bytes in configuration, written `64KiB`, `16MiB`, `1GiB` or `512B`.
struct ByteSize {
    std::uint64_t bytes = 0;
    friend auto operator<=>(const ByteSize&, const ByteSize&) = default;
};

/// Reads a size with a binary unit (B, KiB, MiB, GiB). The error says what is allowed.
Result<ByteSize> parse_size(std::string_view text);

/// The largest unit that divides the size, for example `64KiB`.
std::string format_size(ByteSize size);

}  // namespace gantry
