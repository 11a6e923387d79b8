#include "field_value.hpp"

#include "gantry/base/encoding.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

namespace gantry::gateway {
namespace {

namespace pb = google::protobuf;
using Cpp = FieldDescriptor::CppType;

template <class T>
bool parse_number(std::string_view text, T& out) {
    // from_chars takes no leading '+', and neither does JSON.
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

// One call for singular and repeated fields: Reflection has a pair of functions per type.
#define GANTRY_STORE(Type, value)                                          \
    (field.is_repeated() ? reflection.Add##Type(&message, &field, (value)) \
                         : reflection.Set##Type(&message, &field, (value)))

Message& made(Message& message, const FieldDescriptor& field) {
    const auto& reflection = *message.GetReflection();
    return field.is_repeated() ? *reflection.AddMessage(&message, &field)
                               : *reflection.MutableMessage(&message, &field);
}

const FieldDescriptor& wrapped(const FieldDescriptor& field) {
    return *field.message_type()->field(0);
}

bool set_enum(Message& message, const FieldDescriptor& field,
              const pb::EnumValueDescriptor* value) {
    if (value == nullptr) {
        return false;
    }
    const auto& reflection = *message.GetReflection();
    GANTRY_STORE(Enum, value);
    return true;
}

bool set_string(Message& message, const FieldDescriptor& field, std::string_view text) {
    const auto& reflection = *message.GetReflection();
    if (field.type() == FieldDescriptor::TYPE_BYTES) {
        auto bytes = base64_decode(text);
        if (!bytes) {
            return false;
        }
        GANTRY_STORE(String, std::move(*bytes));
        return true;
    }
    // PostgreSQL's text cannot hold U+0000, so it is refused where it can be named.
    if (!is_utf8(text) || text.find('\0') != std::string_view::npos) {
        return false;
    }
    GANTRY_STORE(String, std::string(text));
    return true;
}

bool set_field_mask(Message& mask, std::string_view text) {
    const FieldDescriptor& paths = *mask.GetDescriptor()->FindFieldByName("paths");
    while (!text.empty()) {
        const auto comma = text.find(',');
        std::string path;
        for (const char c : text.substr(0, comma)) {
            if (c >= 'A' && c <= 'Z') {
                path += '_';
                path += static_cast<char>(c - 'A' + 'a');
            } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.') {
                path += c;
            } else {
                return false;
            }
        }
        if (path.empty()) {
            return false;
        }
        mask.GetReflection()->AddString(&mask, &paths, std::move(path));
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    return true;
}

bool set_special(Message& message, const FieldDescriptor& field, std::string_view text) {
    switch (special_type(*field.message_type())) {
        case SpecialType::timestamp: {
            pb::Timestamp time;
            if (!pb::util::TimeUtil::FromString(std::string(text), &time)) {
                return false;
            }
            made(message, field).CopyFrom(time);
            return true;
        }
        case SpecialType::duration: {
            pb::Duration duration;
            if (!pb::util::TimeUtil::FromString(std::string(text), &duration)) {
                return false;
            }
            made(message, field).CopyFrom(duration);
            return true;
        }
        case SpecialType::field_mask:
            return set_field_mask(made(message, field), text);
        case SpecialType::wrapper:
            return set_from_text(made(message, field), wrapped(field), text);
        case SpecialType::none:
        case SpecialType::unsupported:
            break;
    }
    return false;
}

std::string enum_names(const pb::EnumDescriptor& type) {
    std::string names;
    for (int i = 0; i < type.value_count(); ++i) {
        names += (i == 0 ? "" : ", ") + type.value(i)->name();
    }
    return names;
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, change}));
        }
    }
    return row.back();
}

}  // namespace

SpecialType special_type(const Descriptor& type) {
    static constexpr std::array<std::string_view, 9> kWrappers = {
        "DoubleValue", "FloatValue", "Int64Value",  "UInt64Value", "Int32Value",
        "UInt32Value", "BoolValue",  "StringValue", "BytesValue"};
    if (type.file()->package() != "google.protobuf") {
        return SpecialType::none;
    }
    if (type.name() == "Timestamp") {
        return SpecialType::timestamp;
    }
    if (type.name() == "Duration") {
        return SpecialType::duration;
    }
    if (type.name() == "FieldMask") {
        return SpecialType::field_mask;
    }
    if (std::find(kWrappers.begin(), kWrappers.end(), type.name()) != kWrappers.end()) {
        return SpecialType::wrapper;
    }
    return type.name() == "Empty" ? SpecialType::none : SpecialType::unsupported;
}

bool is_scalar(const FieldDescriptor& field) {
    if (field.cpp_type() != Cpp::CPPTYPE_MESSAGE) {
        return true;
    }
    const SpecialType special = special_type(*field.message_type());
    return special != SpecialType::none && special != SpecialType::unsupported;
}

std::string allowed(const FieldDescriptor& field) {
    switch (field.cpp_type()) {
        case Cpp::CPPTYPE_INT32:
            return "must be an integer from -2147483648 to 2147483647";
        case Cpp::CPPTYPE_UINT32:
            return "must be an integer from 0 to 4294967295";
        case Cpp::CPPTYPE_INT64:
            return "must be a 64-bit integer, as a string or a number";
        case Cpp::CPPTYPE_UINT64:
            return "must be an unsigned 64-bit integer, as a string or a number";
        case Cpp::CPPTYPE_DOUBLE:
        case Cpp::CPPTYPE_FLOAT:
            return "must be a number";
        case Cpp::CPPTYPE_BOOL:
            return "must be true or false";
        case Cpp::CPPTYPE_ENUM:
            return "must be one of " + enum_names(*field.enum_type());
        case Cpp::CPPTYPE_STRING:
            return field.type() == FieldDescriptor::TYPE_BYTES
                       ? "must be a base64 string"
                       : "must be a string of UTF-8 without U+0000";
        case Cpp::CPPTYPE_MESSAGE:
            break;
    }
    switch (special_type(*field.message_type())) {
        case SpecialType::timestamp:
            return "must be an RFC 3339 time, for example 2026-01-31T02:00:00Z";
        case SpecialType::duration:
            return "must be a number of seconds that ends in s, for example 90s or 0.5s";
        case SpecialType::field_mask:
            return "must be field names separated by commas";
        case SpecialType::wrapper:
            return allowed(wrapped(field));
        case SpecialType::none:
        case SpecialType::unsupported:
            break;
    }
    return "must be an object";
}

bool set_from_text(Message& message, const FieldDescriptor& field, std::string_view text) {
    const auto& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
        case Cpp::CPPTYPE_INT32:
        case Cpp::CPPTYPE_INT64: {
            std::int64_t value = 0;
            return parse_number(text, value) && set_from_integer(message, field, value);
        }
        case Cpp::CPPTYPE_UINT32:
        case Cpp::CPPTYPE_UINT64: {
            std::uint64_t value = 0;
            return parse_number(text, value) && set_from_unsigned(message, field, value);
        }
        case Cpp::CPPTYPE_DOUBLE:
        case Cpp::CPPTYPE_FLOAT: {
            double value = 0;
            if (text == "NaN") {
                value = std::numeric_limits<double>::quiet_NaN();
            } else if (text == "Infinity" || text == "-Infinity") {
                value = std::numeric_limits<double>::infinity() * (text.front() == '-' ? -1 : 1);
            } else if (!parse_number(text, value) || !std::isfinite(value)) {
                return false;
            }
            if (field.cpp_type() == Cpp::CPPTYPE_DOUBLE) {
                GANTRY_STORE(Double, value);
                return true;
            }
            return set_from_real(message, field, value);
        }
        case Cpp::CPPTYPE_BOOL:
            return (text == "true" || text == "false") &&
                   set_from_boolean(message, field, text == "true");
        case Cpp::CPPTYPE_ENUM:
            return set_enum(message, field, field.enum_type()->FindValueByName(std::string(text)));
        case Cpp::CPPTYPE_STRING:
            return set_string(message, field, text);
        case Cpp::CPPTYPE_MESSAGE:
            return set_special(message, field, text);
    }
    return false;
}

bool set_from_integer(Message& message, const FieldDescriptor& field, std::int64_t value) {
    const auto& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
        case Cpp::CPPTYPE_INT32:
            if (!std::in_range<std::int32_t>(value)) {
                return false;
            }
            GANTRY_STORE(Int32, static_cast<std::int32_t>(value));
            return true;
        case Cpp::CPPTYPE_INT64:
            GANTRY_STORE(Int64, value);
            return true;
        case Cpp::CPPTYPE_UINT32:
        case Cpp::CPPTYPE_UINT64:
            return value >= 0 &&
                   set_from_unsigned(message, field, static_cast<std::uint64_t>(value));
        case Cpp::CPPTYPE_DOUBLE:
        case Cpp::CPPTYPE_FLOAT:
            return set_from_real(message, field, static_cast<double>(value));
        case Cpp::CPPTYPE_ENUM:
            return std::in_range<int>(value) &&
                   set_enum(message, field,
                            field.enum_type()->FindValueByNumber(static_cast<int>(value)));
        case Cpp::CPPTYPE_MESSAGE:
            return special_type(*field.message_type()) == SpecialType::wrapper &&
                   set_from_integer(made(message, field), wrapped(field), value);
        case Cpp::CPPTYPE_BOOL:
        case Cpp::CPPTYPE_STRING:
            break;
    }
    return false;
}

bool set_from_unsigned(Message& message, const FieldDescriptor& field, std::uint64_t value) {
    const auto& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
        case Cpp::CPPTYPE_UINT32:
            if (!std::in_range<std::uint32_t>(value)) {
                return false;
            }
            GANTRY_STORE(UInt32, static_cast<std::uint32_t>(value));
            return true;
        case Cpp::CPPTYPE_UINT64:
            GANTRY_STORE(UInt64, value);
            return true;
        case Cpp::CPPTYPE_DOUBLE:
        case Cpp::CPPTYPE_FLOAT:
            return set_from_real(message, field, static_cast<double>(value));
        case Cpp::CPPTYPE_MESSAGE:
            return special_type(*field.message_type()) == SpecialType::wrapper &&
                   set_from_unsigned(made(message, field), wrapped(field), value);
        default:
            return std::in_range<std::int64_t>(value) &&
                   set_from_integer(message, field, static_cast<std::int64_t>(value));
    }
}

bool set_from_real(Message& message, const FieldDescriptor& field, double value) {
    const auto& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
        case Cpp::CPPTYPE_DOUBLE:
            GANTRY_STORE(Double, value);
            return true;
        case Cpp::CPPTYPE_FLOAT:
            if (std::isfinite(value) && std::abs(value) > std::numeric_limits<float>::max()) {
                return false;
            }
            GANTRY_STORE(Float, static_cast<float>(value));
            return true;
        case Cpp::CPPTYPE_MESSAGE:
            return special_type(*field.message_type()) == SpecialType::wrapper &&
                   set_from_real(made(message, field), wrapped(field), value);
        case Cpp::CPPTYPE_INT32:
        case Cpp::CPPTYPE_INT64:
        case Cpp::CPPTYPE_UINT32:
        case Cpp::CPPTYPE_UINT64: {
            // 1e3 and 5.0 are integers; beyond 2^53 a double cannot tell which one was meant.
            constexpr double kExact = 9007199254740992.0;
            return std::trunc(value) == value && std::abs(value) <= kExact &&
                   set_from_integer(message, field, static_cast<std::int64_t>(value));
        }
        case Cpp::CPPTYPE_BOOL:
        case Cpp::CPPTYPE_ENUM:
        case Cpp::CPPTYPE_STRING:
            break;
    }
    return false;
}

bool set_from_boolean(Message& message, const FieldDescriptor& field, bool value) {
    const auto& reflection = *message.GetReflection();
    if (field.cpp_type() == Cpp::CPPTYPE_BOOL) {
        GANTRY_STORE(Bool, value);
        return true;
    }
    return field.cpp_type() == Cpp::CPPTYPE_MESSAGE &&
           special_type(*field.message_type()) == SpecialType::wrapper &&
           set_from_boolean(made(message, field), wrapped(field), value);
}

#undef GANTRY_STORE

const FieldDescriptor* find_field(const Descriptor& type, std::string_view name) {
    const std::string key(name);
    if (const auto* field = type.FindFieldByCamelcaseName(key); field != nullptr) {
        return field;
    }
    if (const auto* field = type.FindFieldByName(key); field != nullptr) {
        return field;
    }
    for (int i = 0; i < type.field_count(); ++i) {
        if (type.field(i)->json_name() == name) {
            return type.field(i);
        }
    }
    return nullptr;
}

std::string nearest_field(const Descriptor& type, std::string_view name) {
    std::string best;
    std::size_t least = name.size() / 3 + 1;  // further away, it is another word
    for (int i = 0; i < type.field_count(); ++i) {
        const std::string& candidate = type.field(i)->json_name();
        if (const auto away = distance(name.substr(0, 64), candidate); away <= least) {
            least = away;
            best = candidate;
        }
    }
    return best;
}

std::string unknown_field(const Descriptor& type, std::string_view name) {
    if (const std::string near = nearest_field(type, name); !near.empty()) {
        return "is not a field; the nearest is " + near;
    }
    std::string names;
    for (int i = 0; i < type.field_count(); ++i) {
        names += (i == 0 ? "" : ", ") + type.field(i)->json_name();
    }
    return names.empty() ? "is not a field; there are none" : "is not a field; these are: " + names;
}

Result<FieldPath> FieldPath::resolve(const Descriptor& type, std::string_view path) {
    FieldPath out;
    const Descriptor* current = &type;
    std::size_t start = 0;
    while (true) {
        const auto dot = path.find('.', start);
        const std::string_view name = path.substr(start, dot - start);
        const FieldDescriptor* field = find_field(*current, name);
        if (field == nullptr) {
            return invalid(std::string(path), unknown_field(*current, name));
        }
        out.fields_.push_back(field);
        if (dot == std::string_view::npos) {
            return out;
        }
        if (is_scalar(*field) || field->is_repeated() || field->message_type() == nullptr) {
            return invalid(std::string(path), field->json_name() + " has no fields of its own");
        }
        current = field->message_type();
        start = dot + 1;
    }
}

std::string FieldPath::json_path() const {
    std::string path;
    for (const FieldDescriptor* field : fields_) {
        path += (path.empty() ? "" : ".") + field->json_name();
    }
    return path;
}

Message& FieldPath::holder(Message& root) const {
    Message* message = &root;
    for (std::size_t i = 0; i + 1 < fields_.size(); ++i) {
        message = message->GetReflection()->MutableMessage(message, fields_[i]);
    }
    return *message;
}

std::string FieldPath::text(const Message& root) const {
    const Message* message = &root;
    for (std::size_t i = 0; i + 1 < fields_.size(); ++i) {
        message = &message->GetReflection()->GetMessage(*message, fields_[i]);
    }
    const FieldDescriptor* field = fields_.back();
    const auto& reflection = *message->GetReflection();
    switch (field->cpp_type()) {
        case Cpp::CPPTYPE_STRING:
            return reflection.GetString(*message, field);
        case Cpp::CPPTYPE_INT64:
            return std::to_string(reflection.GetInt64(*message, field));
        case Cpp::CPPTYPE_INT32:
            return std::to_string(reflection.GetInt32(*message, field));
        default:
            return {};
    }
}

std::string json_spelling(std::string_view path) {
    std::string out;
    bool quoted = false;
    bool raise = false;
    for (const char c : path) {
        if (c == '"') {
            quoted = !quoted;
        }
        if (!quoted && c == '_') {
            raise = true;
            continue;
        }
        const bool lower = c >= 'a' && c <= 'z';
        out += raise && lower ? static_cast<char>(c - 'a' + 'A') : c;
        raise = false;
    }
    return out;
}

}  // namespace gantry::gateway
