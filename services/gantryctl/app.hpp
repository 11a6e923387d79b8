#pragma once

#include "console.hpp"

namespace gantry::ctl {

/// Exit codes, which scripts may rely on.
constexpr int kDone = 0;
constexpr int kRefused = 1;       ///< The server refused, found nothing, or the operator said no.
constexpr int kUsage = 2;         ///< The command line is not understood; nothing was sent.
constexpr int kUnreachable = 69;  ///< No answer: not reachable, or not within --timeout.

/// The program over the process's own streams and environment.
int run(int argc, char** argv);

/// One run: reads the command line, does its command, says on `console` what it did. The exit code.
int run(int argc, const char* const* argv, const Console& console);

}  // namespace gantry::ctl
