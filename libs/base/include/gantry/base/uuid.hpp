#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace gantry {

/// A UUID (RFC 9562). Gantry makes version 7, whose order is the order of creation to the
/// millisecond, and reads every version. A value of 16 bytes.
class Uuid {
public:
    /// The nil UUID.
    constexpr Uuid() = default;

    /// A new version 7 UUID of the time `at`. Uses getrandom(2); thread-safe.
    static Uuid v7(Instant at);
    /// A new version 7 UUID of now.
    static Uuid v7() { return v7(std::chrono::system_clock::now()); }

    /// Reads the 36-character form, in any case. `invalid_argument` otherwise.
    static Result<Uuid> parse(std::string_view text);

    static constexpr Uuid from_bytes(const std::array<std::uint8_t, 16>& bytes) {
        Uuid id;
        id.bytes_ = bytes;
        return id;
    }

    [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
    [[nodiscard]] bool is_nil() const { return *this == Uuid{}; }
    [[nodiscard]] int version() const { return bytes_[6] >> 4; }

    /// The creation time of a version 7 UUID, to the millisecond.
    [[nodiscard]] Instant time() const;

    /// The 36-character form in lower case.
    [[nodiscard]] std::string to_string() const;

    friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;

private:
    std::array<std::uint8_t, 16> bytes_{};
};

}  // namespace gantry

template <>
struct std::hash<gantry::Uuid> {
    std::size_t operator()(const gantry::Uuid& id) const noexcept;
};
