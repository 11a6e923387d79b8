#pragma once

#include <string>
#include <string_view>

namespace gantry::hl7 {

/// The character sets of HL7 table 0211 that Gantry decodes. UTF-16 and UTF-32 cannot travel over
/// MLLP: their bytes may be block characters.
enum class Charset {
    ascii,
    latin1,  ///< 8859/1
    utf8,
    other,  ///< Known or unknown to table 0211; carried as bytes.
};

/// The set that MSH-18's first repetition names; `fallback` where it is empty.
Charset charset_of(std::string_view msh18, Charset fallback);

/// Text as UTF-8, or not.
struct Decoded {
    std::string text;          ///< Valid UTF-8 without NUL, unless `undecodable`.
    bool undecodable = false;  ///< `text` holds the bytes as received.
};

/// Decodes `bytes`. Undecodable text is flagged, never refused. Declared ASCII that is valid UTF-8
/// is taken as UTF-8, which many senders mean.
Decoded decode(std::string_view bytes, Charset charset);

}  // namespace gantry::hl7
