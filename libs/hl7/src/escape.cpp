#include "gantry/base/encoding.hpp"
#include "gantry/hl7/message.hpp"

#include <optional>

namespace gantry::hl7 {
namespace {

// The sequence's letter for a delimiter, or nothing.
std::optional<char> letter_of(char c, const Delimiters& d) {
    if (c == '\0') {
        return std::nullopt;
    }
    if (c == d.field) {
        return 'F';
    }
    if (c == d.component) {
        return 'S';
    }
    if (c == d.subcomponent) {
        return 'T';
    }
    if (c == d.repetition) {
        return 'R';
    }
    if (c == d.escape) {
        return 'E';
    }
    if (c == d.truncation) {
        return 'P';
    }
    return std::nullopt;
}

// What the sequence between two escape characters stands for, or nothing if it is not ours to say.
std::optional<std::string> meaning(std::string_view sequence, const Delimiters& d) {
    const auto one = [](char c) -> std::optional<std::string> {
        return c == '\0' ? std::nullopt : std::optional(std::string(1, c));
    };
    if (sequence == ".br") {
        return "\r";
    }
    if (sequence.size() == 1) {
        switch (sequence.front()) {
            case 'F':
                return one(d.field);
            case 'S':
                return one(d.component);
            case 'T':
                return one(d.subcomponent);
            case 'R':
                return one(d.repetition);
            case 'E':
                return one(d.escape);
            case 'P':
                return one(d.truncation);
            case 'H':
            case 'N':
                return "";
            default:
                return std::nullopt;
        }
    }
    if (sequence.size() >= 3 && sequence.front() == 'X') {
        if (auto bytes = hex_decode(sequence.substr(1))) {
            return std::move(*bytes);
        }
    }
    return std::nullopt;
}

// Character set shifts, formatting commands and local sequences.
bool for_others(std::string_view sequence) {
    constexpr std::string_view kFirst = "CMZ.";
    return !sequence.empty() && kFirst.find(sequence.front()) != kFirst.npos;
}

}  // namespace

std::string unescape(std::string_view raw, const Delimiters& delimiters) {
    std::string text;
    text.reserve(raw.size());
    while (!raw.empty()) {
        const auto start = delimiters.escape == '\0' ? raw.npos : raw.find(delimiters.escape);
        text += raw.substr(0, start);
        if (start == raw.npos) {
            return text;
        }
        raw.remove_prefix(start);
        const auto end = raw.find(delimiters.escape, 1);
        if (end == raw.npos) {
            text += raw;
            return text;
        }
        if (const auto resolved = meaning(raw.substr(1, end - 1), delimiters)) {
            text += *resolved;
            raw.remove_prefix(end + 1);
        } else {
            // A sequence for others stays whole. After a stray character, what looks like the
            // closing one may open the next sequence.
            const auto kept = for_others(raw.substr(1, end - 1)) ? end + 1 : end;
            text += raw.substr(0, kept);
            raw.remove_prefix(kept);
        }
    }
    return text;
}

std::string escape(std::string_view text, const Delimiters& delimiters) {
    if (delimiters.escape == '\0') {
        return std::string(text);
    }
    std::string raw;
    raw.reserve(text.size());
    for (const char c : text) {
        if (const auto letter = letter_of(c, delimiters)) {
            raw += delimiters.escape;
            raw += *letter;
            raw += delimiters.escape;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            raw += delimiters.escape;
            raw += 'X';
            raw += hex_encode(std::string_view{&c, 1});
            raw += delimiters.escape;
        } else {
            raw += c;
        }
    }
    return raw;
}

}  // namespace gantry::hl7
