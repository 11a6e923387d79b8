#pragma once

#include "field_value.hpp"

#include "gantry/base/result.hpp"

#include <string_view>

namespace gantry::gateway {

/// Bounds on what a body may make the gateway do.
struct JsonLimits {
    int depth = 32;
    std::size_t faults = 20;  ///< More than these are not listed.
};

/// Reads a JSON body into `message`, or into `field` of it where that is not null.
///
/// Strict: unknown fields, wrong types, duplicate keys, deep nesting, invalid UTF-8, lone
/// surrogates and anything after the value are refused. The error lists every fault with the path
/// of its field and what is allowed there, and never repeats a value. `null` leaves a field unset.
Result<void> read_json(std::string_view text, Message& message, const FieldDescriptor* field,
                       const JsonLimits& limits = {});

}  // namespace gantry::gateway
