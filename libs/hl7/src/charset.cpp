#include "gantry/hl7/charset.hpp"

#include "gantry/base/encoding.hpp"

namespace gantry::hl7 {
namespace {

std::string latin1_to_utf8(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size() + bytes.size() / 8);
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            text += c;
        } else {
            text += static_cast<char>(0xC0U | (byte >> 6U));
            text += static_cast<char>(0x80U | (byte & 0x3FU));
        }
    }
    return text;
}

}  // namespace

Charset charset_of(std::string_view msh18, Charset fallback) {
    const auto first = msh18.substr(0, msh18.find('~'));
    if (first.empty() || first == "\"\"") {
        return fallback;
    }
    if (first == "ASCII") {
        return Charset::ascii;
    }
    if (first == "8859/1") {
        return Charset::latin1;
    }
    if (first == "UNICODE UTF-8" || first == "UTF-8") {
        return Charset::utf8;
    }
    return Charset::other;
}

Decoded decode(std::string_view bytes, Charset charset) {
    const bool has_nul = bytes.find('\0') != std::string_view::npos;
    if (charset == Charset::latin1 && !has_nul) {
        return {.text = latin1_to_utf8(bytes)};
    }
    const bool readable = charset != Charset::other && !has_nul && is_utf8(bytes);
    return {.text = std::string(bytes), .undecodable = !readable};
}

}  // namespace gantry::hl7
