#pragma once

#include "field_value.hpp"

#include "gantry/base/result.hpp"

#include <span>
#include <string_view>

namespace gantry::gateway {

/// Sets the fields that the query names: `status=PENDING&item.code=a&tag=x&tag=y`.
///
/// Names may be nested and in either spelling, repeated fields may stand more than once, `+` is a
/// blank. The error lists every parameter that is unknown, of a wrong type, doubled, or reserved:
/// a top-level field that the path or the body sets.
Result<void> read_query(std::string_view query, Message& message,
                        std::span<const FieldDescriptor* const> reserved);

/// The error of a request that may not have a query at all.
Result<void> refuse_query(std::string_view query);

}  // namespace gantry::gateway
