// Every reader of text in libs/base: none may crash, and what one accepts its writer gives back.

#include "gantry/base/encoding.hpp"
#include "gantry/base/ensure.hpp"
#include "gantry/base/time.hpp"
#include "gantry/base/units.hpp"
#include "gantry/base/uuid.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto duration = gantry::parse_duration(text)) {
        ENSURE(gantry::parse_duration(gantry::format_duration(*duration)) == *duration, "duration");
    }
    if (const auto bytes = gantry::parse_size(text)) {
        ENSURE(gantry::parse_size(gantry::format_size(*bytes)) == *bytes, "size");
    }
    if (const auto instant = gantry::parse_rfc3339(text)) {
        ENSURE(gantry::parse_rfc3339(gantry::format_rfc3339_micros(*instant)).has_value(), "time");
    }
    if (const auto id = gantry::Uuid::parse(text)) {
        ENSURE(gantry::Uuid::parse(id->to_string()) == *id, "uuid");
    }
    ENSURE(gantry::base64_decode(gantry::base64_encode(text)) == text, "base64");
    ENSURE(gantry::hex_decode(gantry::hex_encode(text)) == text, "hex");
    static_cast<void>(gantry::base64_decode(text));
    static_cast<void>(gantry::hex_decode(text));
    static_cast<void>(gantry::is_utf8(text));
    return 0;
}
