#include "gantry/base/encoding.hpp"

#include "gantry/base/ensure.hpp"

#include <openssl/evp.h>

namespace gantry {
namespace {

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kHex = "0123456789abcdef";

std::uint8_t byte_at(std::string_view bytes, std::size_t i) {
    return static_cast<std::uint8_t>(bytes[i]);
}

/// The six bits of a character of either base64 alphabet, or -1.
int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+' || c == '-') {
        return 62;
    }
    if (c == '/' || c == '_') {
        return 63;
    }
    return -1;
}

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

/// Length of the well-formed UTF-8 sequence at `i` (Unicode 15, table 3-7), or 0.
std::size_t utf8_sequence(std::string_view text, std::size_t i) {
    const auto lead = byte_at(text, i);
    if (lead < 0x80) {
        return 1;
    }
    std::size_t length = 0;
    std::uint8_t low = 0x80;
    std::uint8_t high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        low = lead == 0xE0 ? 0xA0 : low;
        high = lead == 0xED ? 0x9F : high;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        low = lead == 0xF0 ? 0x90 : low;
        high = lead == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (i + length > text.size() || byte_at(text, i + 1) < low || byte_at(text, i + 1) > high) {
        return 0;
    }
    for (std::size_t k = 2; k < length; ++k) {
        if ((byte_at(text, i + k) & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    std::size_t i = 0;
    for (; i + 2 < bytes.size(); i += 3) {
        const unsigned group =
            (byte_at(bytes, i) << 16U) | (byte_at(bytes, i + 1) << 8U) | byte_at(bytes, i + 2);
        text += kBase64[group >> 18U];
        text += kBase64[(group >> 12U) & 63U];
        text += kBase64[(group >> 6U) & 63U];
        text += kBase64[group & 63U];
    }
    if (const auto left = bytes.size() - i; left > 0) {
        const unsigned group =
            (byte_at(bytes, i) << 16U) | (left == 2 ? byte_at(bytes, i + 1) << 8U : 0U);
        text += kBase64[group >> 18U];
        text += kBase64[(group >> 12U) & 63U];
        text += left == 2 ? kBase64[(group >> 6U) & 63U] : '=';
        text += '=';
    }
    return text;
}

Result<std::string> base64_decode(std::string_view text) {
    const auto refuse = [] { return fail(Code::invalid_argument, "must be base64 (RFC 4648)"); };
    const bool padded = text.size() % 4 == 0;
    for (int i = 0; i < 2 && padded && !text.empty() && text.back() == '='; ++i) {
        text.remove_suffix(1);
    }
    if (text.size() % 4 == 1) {
        return refuse();
    }
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3 + 2);
    unsigned group = 0;
    unsigned bits = 0;
    for (const char c : text) {
        const int value = base64_value(c);
        if (value < 0) {
            return refuse();
        }
        group = (group << 6U) | static_cast<unsigned>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes += static_cast<char>((group >> bits) & 0xFFU);
        }
    }
    if ((group & ((1U << bits) - 1U)) != 0) {
        return refuse();
    }
    return bytes;
}

std::string hex_encode(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        text += kHex[byte_at(bytes, i) >> 4];
        text += kHex[byte_at(bytes, i) & 0x0F];
    }
    return text;
}

Result<std::string> hex_decode(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) {
            return fail(Code::invalid_argument, "must have hexadecimal digits only");
        }
        bytes += static_cast<char>((high << 4) | low);
    }
    if (text.size() % 2 != 0) {
        return fail(Code::invalid_argument, "must have an even number of hexadecimal digits");
    }
    return bytes;
}

std::string sha256(std::string_view bytes) {
    std::string digest(32, '\0');
    unsigned length = 0;
    const int done =
        EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                   &length, EVP_sha256(), nullptr);
    ENSURE(done == 1 && length == digest.size(), "OpenSSL provides SHA-256");
    return digest;
}

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto length = utf8_sequence(text, i);
        if (length == 0) {
            return false;
        }
        i += length;
    }
    return true;
}

}  // namespace gantry
