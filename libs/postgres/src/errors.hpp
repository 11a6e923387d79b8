#pragma once

#include "gantry/base/result.hpp"

#include <string_view>

namespace gantry::postgres {

/// The error for an SQLSTATE. `text` is PostgreSQL's primary message; it is kept only where
/// PostgreSQL fills it with names and Gantry's own functions with rules, never where it could hold
/// values.
Error error_of_sqlstate(std::string_view sqlstate, std::string_view text);

/// `unavailable`: the connection could not be made or was lost.
Error connection_lost(std::string_view what);

}  // namespace gantry::postgres
