#include "gantry/postgres/params.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/base/time.hpp"

#include <array>
#include <charconv>

namespace gantry::postgres {

Param::Param(double value) {
    std::array<char, 64> buffer{};
    const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    text_ = error == std::errc{} ? std::string(buffer.data(), end) : std::string("NaN");
}

Param::Param(Instant at) : text_(format_rfc3339_micros(at)) {}

Param::Param(Bytes bytes) : text_("\\x" + hex_encode(bytes.bytes)) {}

Param array(std::span<const Param> elements) {
    std::string literal = "{";
    for (const auto& element : elements) {
        if (literal.size() > 1) {
            literal += ',';
        }
        if (!element.text()) {
            literal += "NULL";
            continue;
        }
        literal += '"';
        for (const char c : *element.text()) {
            if (c == '"' || c == '\\') {
                literal += '\\';
            }
            literal += c;
        }
        literal += '"';
    }
    literal += '}';
    return Param(std::move(literal));
}

}  // namespace gantry::postgres
