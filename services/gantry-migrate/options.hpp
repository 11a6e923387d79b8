#pragma once

#include "gantry/base/clock.hpp"

#include <functional>
#include <optional>
#include <string>

namespace gantry::migrate {

enum class Command { up, status, set_mode };

/// What one run shall do.
struct Options {
    Command command = Command::up;
    std::string database_url;       ///< A libpq URI. Secret.
    std::string mode;               ///< For set_mode: `wal` or `polling`.
    milliseconds wait{60'000};      ///< For the database, for locks and for open transactions.
    milliseconds handover{10'000};  ///< For the relay to finish a change of mode.
};

/// Options, or the text to print instead: help, the version, or every fault that was found.
struct Parsed {
    std::optional<Options> options;
    std::string text;
    bool faulty = false;
};

/// Reads the command line and, for what it leaves out, the environment.
Parsed parse_options(int argc, const char* const* argv,
                     const std::function<const char*(const char*)>& environment);

}  // namespace gantry::migrate
