#pragma once

#include "gantry/base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace gantry::gateway {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

/// The message types that JSON writes as something else than an object.
enum class SpecialType { none, timestamp, duration, field_mask, wrapper, unsupported };
SpecialType special_type(const Descriptor& type);

/// True if a value of the field is one JSON string, number or boolean.
bool is_scalar(const FieldDescriptor& field);

/// What the field takes, as the end of a sentence: "must be …".
std::string allowed(const FieldDescriptor& field);

/// Sets a scalar field, or adds to a repeated one, from its text form as a query or a JSON string
/// has it. False if the text is not what `allowed` says.
bool set_from_text(Message& message, const FieldDescriptor& field, std::string_view text);

/// The same from a number or boolean.
bool set_from_integer(Message& message, const FieldDescriptor& field, std::int64_t value);
bool set_from_unsigned(Message& message, const FieldDescriptor& field, std::uint64_t value);
bool set_from_real(Message& message, const FieldDescriptor& field, double value);
bool set_from_boolean(Message& message, const FieldDescriptor& field, bool value);

/// The field named `name`, in the proto's or in JSON's spelling; null if there is none.
const FieldDescriptor* find_field(const Descriptor& type, std::string_view name);

/// The field that is nearest in spelling to `name`; empty if none is near.
std::string nearest_field(const Descriptor& type, std::string_view name);

/// What to say of an unknown field: the nearest one, or all there are.
std::string unknown_field(const Descriptor& type, std::string_view name);

/// A way from a message to one of its fields, through singular messages.
class FieldPath {
public:
    /// Resolves `a.b.c`, in either spelling. `invalid_argument` names the part that is unknown or
    /// no singular message.
    static Result<FieldPath> resolve(const Descriptor& type, std::string_view path);

    [[nodiscard]] const FieldDescriptor& field() const { return *fields_.back(); }
    [[nodiscard]] const FieldDescriptor& first() const { return *fields_.front(); }

    /// The path in JSON's spelling.
    [[nodiscard]] std::string json_path() const;

    /// The message that holds the field, made where absent.
    Message& holder(Message& root) const;

    /// The field's value as text for a URL; empty if it is not set.
    [[nodiscard]] std::string text(const Message& root) const;

    friend bool operator==(const FieldPath&, const FieldPath&) = default;

private:
    std::vector<const FieldDescriptor*> fields_;
};

/// `snake_case` paths in JSON's spelling: `run_at` → `runAt`, `items[0].item_code` →
/// `items[0].itemCode`. Text in quotes is left alone.
std::string json_spelling(std::string_view path);

}  // namespace gantry::gateway
