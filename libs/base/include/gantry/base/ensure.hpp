#pragma once

#include <string_view>

namespace gantry {

/// Writes `what`, the file and the line to standard error and aborts the process.
[[noreturn]] void ensure_failed(std::string_view what, const char* file, int line);

}  // namespace gantry

/// Terminates the process when an invariant of our own code is broken. Never for bad input.
#define ENSURE(condition, what)                                  \
    do {                                                         \
        if (!(condition)) {                                      \
            ::gantry::ensure_failed((what), __FILE__, __LINE__); \
        }                                                        \
    } while (false)
