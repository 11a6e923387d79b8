#pragma once

#include "field_value.hpp"

#include <string>
#include <string_view>

namespace gantry::gateway {

/// Appends `message` as JSON: lowerCamelCase names, enums by name, 64-bit integers as strings,
/// bytes as base64, times in RFC 3339; fields that are not set are written, as zero, "" , [] or
/// null.
void write_json(const Message& message, std::string& out);

/// Appends one field's value alone.
void write_json_field(const Message& message, const FieldDescriptor& field, std::string& out);

/// Appends `text` as a JSON string. Bytes that are not UTF-8 become U+FFFD.
void write_json_string(std::string_view text, std::string& out);

}  // namespace gantry::gateway
