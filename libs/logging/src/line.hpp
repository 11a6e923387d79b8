#pragma once

#include "gantry/logging/log.hpp"

#include <string>
#include <string_view>

namespace gantry::logging {

/// One log line before it is written.
struct Line {
    Level level;
    Instant at;
    std::string_view service;
    std::string_view message;
    std::string_view trace_id;  ///< Empty outside a trace.
    std::string_view span_id;
    Fields fields;
    const Error* failure = nullptr;
};

/// The line as one JSON object, without a line feed.
std::string to_json(const Line& line);

/// The line for people, without a line feed.
std::string to_text(const Line& line);

/// Appends `text` as a JSON string with its quotes. Malformed UTF-8 becomes U+FFFD, so that
/// whatever reads the log can parse every line.
void append_json_string(std::string& out, std::string_view text);

std::string_view to_string(Level level);

}  // namespace gantry::logging
