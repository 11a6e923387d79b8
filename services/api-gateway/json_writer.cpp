#include "json_writer.hpp"

#include "gantry/base/encoding.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include <array>
#include <charconv>
#include <cmath>

namespace gantry::gateway {
namespace {

namespace pb = google::protobuf;
using Cpp = FieldDescriptor::CppType;
using pb::Reflection;

template <class T>
void write_number(T value, std::string& out) {
    std::array<char, 32> buffer;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    out.append(buffer.data(), end);
}

template <class T>
void write_quoted(T value, std::string& out) {
    out += '"';
    write_number(value, out);
    out += '"';
}

template <class T>
void write_real(T value, std::string& out) {
    if (std::isnan(value)) {
        out += "\"NaN\"";
    } else if (std::isinf(value)) {
        out += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    } else {
        write_number(value, out);
    }
}

void write_enum(const FieldDescriptor& field, int number, std::string& out) {
    const auto* value = field.enum_type()->FindValueByNumber(number);
    if (value == nullptr) {
        write_number(number, out);  // of a newer backend
        return;
    }
    out += '"';
    out += value->name();
    out += '"';
}

void write_text(const FieldDescriptor& field, const std::string& text, std::string& out) {
    if (field.type() == FieldDescriptor::TYPE_BYTES) {
        out += '"';
        out += base64_encode(text);
        out += '"';
    } else {
        write_json_string(text, out);
    }
}

void write_mask(const Message& mask, std::string& out) {
    const auto& paths = *mask.GetDescriptor()->FindFieldByName("paths");
    const auto& reflection = *mask.GetReflection();
    std::string text;
    for (int i = 0; i < reflection.FieldSize(mask, &paths); ++i) {
        text += (i == 0 ? "" : ",") + json_spelling(reflection.GetRepeatedString(mask, &paths, i));
    }
    write_json_string(text, out);
}

void write_message(const Message& message, std::string& out) {
    switch (special_type(*message.GetDescriptor())) {
        case SpecialType::timestamp:
            write_json_string(
                pb::util::TimeUtil::ToString(*pb::DynamicCastToGenerated<pb::Timestamp>(&message)),
                out);
            break;
        case SpecialType::duration:
            write_json_string(
                pb::util::TimeUtil::ToString(*pb::DynamicCastToGenerated<pb::Duration>(&message)),
                out);
            break;
        case SpecialType::field_mask:
            write_mask(message, out);
            break;
        case SpecialType::wrapper:
            write_json_field(message, *message.GetDescriptor()->field(0), out);
            break;
        case SpecialType::none:
        case SpecialType::unsupported:
            write_json(message, out);
            break;
    }
}

void write_element(const Message& message, const FieldDescriptor& field, int i, std::string& out) {
    const Reflection& reflection = *message.GetReflection();
    std::string scratch;
    switch (field.cpp_type()) {
        case Cpp::CPPTYPE_INT32:
            return write_number(reflection.GetRepeatedInt32(message, &field, i), out);
        case Cpp::CPPTYPE_UINT32:
            return write_number(reflection.GetRepeatedUInt32(message, &field, i), out);
        case Cpp::CPPTYPE_INT64:
            return write_quoted(reflection.GetRepeatedInt64(message, &field, i), out);
        case Cpp::CPPTYPE_UINT64:
            return write_quoted(reflection.GetRepeatedUInt64(message, &field, i), out);
        case Cpp::CPPTYPE_DOUBLE:
            return write_real(reflection.GetRepeatedDouble(message, &field, i), out);
        case Cpp::CPPTYPE_FLOAT:
            return write_real(reflection.GetRepeatedFloat(message, &field, i), out);
        case Cpp::CPPTYPE_BOOL:
            out += reflection.GetRepeatedBool(message, &field, i) ? "true" : "false";
            return;
        case Cpp::CPPTYPE_ENUM:
            return write_enum(field, reflection.GetRepeatedEnumValue(message, &field, i), out);
        case Cpp::CPPTYPE_STRING:
            return write_text(
                field, reflection.GetRepeatedStringReference(message, &field, i, &scratch), out);
        case Cpp::CPPTYPE_MESSAGE:
            return write_message(reflection.GetRepeatedMessage(message, &field, i), out);
    }
}

void write_list(const Message& message, const FieldDescriptor& field, std::string& out) {
    const int size = message.GetReflection()->FieldSize(message, &field);
    out += '[';
    for (int i = 0; i < size; ++i) {
        out += i == 0 ? "" : ",";
        write_element(message, field, i, out);
    }
    out += ']';
}

void write_map(const Message& message, const FieldDescriptor& field, std::string& out) {
    const Reflection& reflection = *message.GetReflection();
    const int size = reflection.FieldSize(message, &field);
    const FieldDescriptor& key = *field.message_type()->map_key();
    const FieldDescriptor& value = *field.message_type()->map_value();
    out += '{';
    for (int i = 0; i < size; ++i) {
        const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
        out += i == 0 ? "" : ",";
        std::string name;
        write_json_field(entry, key, name);
        out += name.front() == '"' ? name : '"' + name + '"';
        out += ':';
        write_json_field(entry, value, out);
    }
    out += '}';
}

// Where unset has a meaning of its own, it is not written.
bool is_left_out(const Message& message, const FieldDescriptor& field) {
    return field.containing_oneof() != nullptr &&
           !message.GetReflection()->HasField(message, &field);
}

}  // namespace

void write_json_field(const Message& message, const FieldDescriptor& field, std::string& out) {
    if (field.is_map()) {
        return write_map(message, field, out);
    }
    if (field.is_repeated()) {
        return write_list(message, field, out);
    }
    const Reflection& reflection = *message.GetReflection();
    std::string scratch;
    switch (field.cpp_type()) {
        case Cpp::CPPTYPE_INT32:
            return write_number(reflection.GetInt32(message, &field), out);
        case Cpp::CPPTYPE_UINT32:
            return write_number(reflection.GetUInt32(message, &field), out);
        case Cpp::CPPTYPE_INT64:
            return write_quoted(reflection.GetInt64(message, &field), out);
        case Cpp::CPPTYPE_UINT64:
            return write_quoted(reflection.GetUInt64(message, &field), out);
        case Cpp::CPPTYPE_DOUBLE:
            return write_real(reflection.GetDouble(message, &field), out);
        case Cpp::CPPTYPE_FLOAT:
            return write_real(reflection.GetFloat(message, &field), out);
        case Cpp::CPPTYPE_BOOL:
            out += reflection.GetBool(message, &field) ? "true" : "false";
            return;
        case Cpp::CPPTYPE_ENUM:
            return write_enum(field, reflection.GetEnumValue(message, &field), out);
        case Cpp::CPPTYPE_STRING:
            return write_text(field, reflection.GetStringReference(message, &field, &scratch), out);
        case Cpp::CPPTYPE_MESSAGE:
            if (!reflection.HasField(message, &field)) {
                out += "null";
                return;
            }
            return write_message(reflection.GetMessage(message, &field), out);
    }
}

void write_json(const Message& message, std::string& out) {
    const Descriptor& type = *message.GetDescriptor();
    out += '{';
    bool first = true;
    for (int i = 0; i < type.field_count(); ++i) {
        const FieldDescriptor& field = *type.field(i);
        if (is_left_out(message, field)) {
            continue;
        }
        out += first ? "\"" : ",\"";
        first = false;
        out += field.json_name();
        out += "\":";
        write_json_field(message, field, out);
    }
    out += '}';
}

void write_json_string(std::string_view text, std::string& out) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    if (!is_utf8(text)) {
        // A proto string is UTF-8 by contract; anything else is replaced byte by byte.
        std::string replaced;
        for (const char c : text) {
            replaced += static_cast<unsigned char>(c) < 0x80 ? std::string(1, c) : "\xEF\xBF\xBD";
        }
        return write_json_string(replaced, out);
    }
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (byte < 0x20 || byte == 0x7F) {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        } else {
            out += c;
        }
    }
    out += '"';
}

}  // namespace gantry::gateway
