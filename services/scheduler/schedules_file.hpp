#pragma once

#include "definition.hpp"
#include "gantry/config/loader.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gantry::scheduler {

/// A schedules file as read: usable only if `faults` is empty.
struct SchedulesFile {
    std::vector<Definition> definitions;
    std::vector<config::Fault> faults;  ///< Every fault, each with its line.
};

/// Reads the YAML text of a schedules file (README.md shows the format). `path` is for the faults
/// only.
SchedulesFile parse_schedules(std::string_view text, std::string_view path);

/// Reads the file at `path`, of at most 4 MiB; a file that cannot be read is a fault too.
SchedulesFile read_schedules(const std::string& path);

}  // namespace gantry::scheduler
