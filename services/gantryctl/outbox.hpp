#pragma once

#include "session.hpp"

namespace CLI {
class App;
}

namespace gantry::ctl {

/// Adds `outbox` and its commands (OutboxService) to `root`. The command that the command line
/// names is put into `chosen`; both and `console` must live until it has run.
void add_outbox(CLI::App& root, Action& chosen, const Console& console);

}  // namespace gantry::ctl
