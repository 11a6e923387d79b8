#pragma once

#include "http_message.hpp"

#include "gantry/base/result.hpp"

#include <string_view>

namespace gantry::gateway {

/// The one table from gRPC's codes to HTTP's statuses.
int http_status(Code code);

/// What a problem is about, beside its error.
struct ProblemContext {
    std::string_view path;      ///< Becomes `instance`.
    std::string_view trace_id;  ///< Empty if there is none.
};

/// `error` as application/problem+json (RFC 9457) with `code`, `reason`, `errors[]`, `resource` and
/// `trace_id`. Unavailable and overloaded answers carry Retry-After.
HttpResponse problem(const Error& error, const ProblemContext& context);

/// The same for faults of HTTP itself, whose status no gRPC code has: 404, 405, 406, 413, 415, 431.
HttpResponse problem(int status, const Error& error, const ProblemContext& context);

}  // namespace gantry::gateway
