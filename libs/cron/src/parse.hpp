#pragma once

#include "gantry/base/result.hpp"
#include "gantry/cron/fields.hpp"
#include "gantry/cron/schedule.hpp"

#include <chrono>
#include <string_view>
#include <variant>

namespace gantry::cron {

/// What an expression says: fields, or the period of `@every`.
using Parsed = std::variant<Fields, std::chrono::seconds>;

/// Reads the text of an expression that has no white space around it.
Result<Parsed> parse_expression(std::string_view text, Dialect dialect);

}  // namespace gantry::cron
