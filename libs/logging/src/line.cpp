#include "line.hpp"

#include "gantry/base/time.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace gantry::logging {
namespace {

// The length of the well-formed UTF-8 sequence at `at`, or 0.
std::size_t sequence_length(std::string_view text, std::size_t at) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    if (length == 0 || at + length > text.size()) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((static_cast<unsigned char>(text[at + i]) & 0xC0U) != 0x80U) {
            return 0;
        }
    }
    const unsigned char second = length > 1 ? static_cast<unsigned char>(text[at + 1]) : 0;
    const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
    const bool surrogate = lead == 0xED && second > 0x9F;
    const bool beyond = lead == 0xF4 && second > 0x8F;
    return overlong || surrogate || beyond ? 0 : length;
}

void append_escaped(std::string& out, char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            break;
        case '\\':
            out += "\\\\";
            break;
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        case '\t':
            out += "\\t";
            break;
        default: {
            constexpr std::string_view kDigits = "0123456789abcdef";
            const auto byte = static_cast<unsigned char>(c);
            out += "\\u00";
            out += kDigits[byte >> 4U];
            out += kDigits[byte & 0xFU];
        }
    }
}

template <class Number>
void append_number(std::string& out, Number value) {
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    out.append(buffer.data(), end);
}

void append_value(std::string& out, const Field& field) {
    switch (field.kind) {
        case Field::Kind::text:
            append_json_string(out, field.as_text());
            break;
        case Field::Kind::integer:
            append_number(out, field.integer);
            break;
        case Field::Kind::real:
            if (std::isfinite(field.real)) {
                append_number(out, field.real);
            } else {
                out += "null";
            }
            break;
        case Field::Kind::boolean:
            out += field.integer != 0 ? "true" : "false";
            break;
    }
}

void append_member(std::string& out, const Field& field) {
    out += ',';
    append_json_string(out, field.key);
    out += ':';
    append_value(out, field);
}

void append_pair(std::string& out, const Field& field) {
    out += ' ';
    out += field.key;
    out += '=';
    append_value(out, field);
}

// Hands each field of the line, and those of its failure, to `append`.
template <class Append>
void for_each_field(const Line& line, Append append) {
    for (const Field& field : line.fields) {
        append(field);
    }
    if (line.failure == nullptr) {
        return;
    }
    append(Field("error", line.failure->message));
    append(Field("code", gantry::to_string(line.failure->code)));
    if (!line.failure->reason.empty()) {
        append(Field("reason", line.failure->reason));
    }
}

}  // namespace

std::string_view to_string(Level level) {
    switch (level) {
        case Level::debug:
            return "debug";
        case Level::info:
            return "info";
        case Level::warning:
            return "warning";
        case Level::error:
            return "error";
    }
    return "info";
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = static_cast<unsigned char>(text[at]);
        if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7F) {
            append_escaped(out, text[at]);
            ++at;
            continue;
        }
        const std::size_t length = sequence_length(text, at);
        if (length == 0) {
            out += "\xEF\xBF\xBD";
            ++at;
            continue;
        }
        out.append(text, at, length);
        at += length;
    }
    out += '"';
}

std::string to_json(const Line& line) {
    std::string out;
    out.reserve(256);
    out += "{\"ts\":\"";
    out += format_rfc3339(line.at);
    out += "\",\"level\":\"";
    out += to_string(line.level);
    out += "\",\"msg\":";
    append_json_string(out, line.message);
    if (!line.service.empty()) {
        append_member(out, Field("service", line.service));
    }
    if (!line.trace_id.empty()) {
        append_member(out, Field("trace_id", line.trace_id));
        append_member(out, Field("span_id", line.span_id));
    }
    for_each_field(line, [&](const Field& field) { append_member(out, field); });
    out += '}';
    return out;
}

std::string to_text(const Line& line) {
    constexpr std::array<std::string_view, 4> kNames = {"DEBUG", "INFO ", "WARN ", "ERROR"};
    std::string out = format_rfc3339(line.at);
    out += ' ';
    out += kNames[static_cast<std::size_t>(line.level)];
    out += ' ';
    // Escaped like JSON, so that a message cannot forge a line or drive the terminal.
    std::string message;
    append_json_string(message, line.message);
    out.append(message, 1, message.size() - 2);
    for_each_field(line, [&](const Field& field) { append_pair(out, field); });
    if (!line.trace_id.empty()) {
        append_pair(out, Field("trace_id", line.trace_id));
    }
    return out;
}

}  // namespace gantry::logging
