#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace gantry::ctl {

/// A moment as an operator writes it: RFC 3339, or how long ago it was (`2h`).
Result<Instant> parse_moment(std::string_view text, Instant now);

/// Adds an option that is a moment, against `clock` while the command line is read.
CLI::Option* add_moment(CLI::App& command, const std::string& name, std::optional<Instant>& into,
                        const std::string& help, const Clock& clock);

/// Adds an option that is a duration above zero, such as `10s`.
CLI::Option* add_duration(CLI::App& command, const std::string& name, milliseconds& into,
                          const std::string& help);

/// `--help`'s last part: each line an example, indented.
std::string examples(std::initializer_list<std::string_view> lines);

}  // namespace gantry::ctl
