#include "gantry/base/uuid.hpp"

#include "gantry/base/ensure.hpp"

#include <sys/random.h>
#include <cstring>

namespace gantry {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

constexpr bool is_dash_position(std::size_t position) {
    return position == 8 || position == 13 || position == 18 || position == 23;
}

}  // namespace

Uuid Uuid::v7(Instant at) {
    Uuid id;
    const auto wanted = static_cast<ssize_t>(id.bytes_.size() - 6);
    ENSURE(::getrandom(id.bytes_.data() + 6, id.bytes_.size() - 6, 0) == wanted,
           "getrandom(2) gives up to 256 bytes at once");
    const auto since_epoch = std::chrono::floor<milliseconds>(at.time_since_epoch()).count();
    const auto ms = static_cast<std::uint64_t>(since_epoch);
    for (std::size_t i = 0; i < 6; ++i) {
        id.bytes_[i] = static_cast<std::uint8_t>(ms >> (8 * (5 - i)));
    }
    id.bytes_[6] = static_cast<std::uint8_t>(0x70 | (id.bytes_[6] & 0x0F));
    id.bytes_[8] = static_cast<std::uint8_t>(0x80 | (id.bytes_[8] & 0x3F));
    return id;
}

Result<Uuid> Uuid::parse(std::string_view text) {
    Uuid id;
    std::size_t nibble = 0;
    if (text.size() != 36) {
        return fail(Code::invalid_argument, "a UUID has 36 characters");
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_dash_position(i)) {
            if (text[i] != '-') {
                return fail(Code::invalid_argument,
                            "a UUID has dashes after 8, 12, 16 and 20 digits");
            }
            continue;
        }
        const int value = hex_value(text[i]);
        if (value < 0) {
            return fail(Code::invalid_argument, "a UUID has hexadecimal digits only");
        }
        auto& byte = id.bytes_[nibble / 2];
        byte = static_cast<std::uint8_t>((byte << 4) | value);
        ++nibble;
    }
    return id;
}

Instant Uuid::time() const {
    std::uint64_t ms = 0;
    for (std::size_t i = 0; i < 6; ++i) {
        ms = (ms << 8) | bytes_[i];
    }
    return Instant{milliseconds{ms}};
}

std::string Uuid::to_string() const {
    std::string text;
    text.reserve(36);
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
        if (is_dash_position(text.size())) {
            text += '-';
        }
        text += kHex[bytes_[i] >> 4];
        text += kHex[bytes_[i] & 0x0F];
    }
    return text;
}

}  // namespace gantry

std::size_t std::hash<gantry::Uuid>::operator()(const gantry::Uuid& id) const noexcept {
    // The last eight bytes are random in every UUID that Gantry makes.
    std::size_t value = 0;
    std::memcpy(&value, id.bytes().data() + 8, sizeof value);
    return value;
}
