#pragma once

#include "gantry/base/result.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace gantry {

/// Base64 with padding (RFC 4648 §4).
std::string base64_encode(std::string_view bytes);

/// Reads base64 of either alphabet, padded or not; refuses anything else, including white space.
Result<std::string> base64_decode(std::string_view text);

/// Lower-case hexadecimal.
std::string hex_encode(std::string_view bytes);

/// Reads hexadecimal of either case. `invalid_argument` on odd length or another character.
Result<std::string> hex_decode(std::string_view text);

/// SHA-256 of `bytes` as 32 raw bytes.
std::string sha256(std::string_view bytes);

/// True if `text` is well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF).
bool is_utf8(std::string_view text);

}  // namespace gantry
