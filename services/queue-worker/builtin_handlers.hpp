#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/jobs/handler.hpp"

namespace gantry::worker {

/// Adds the handlers for trying things:
///
/// - `gantry.noop` does nothing.
/// - `gantry.echo` gives its payload back as the result.
/// - `gantry.sleep` waits: payload `250ms`, or JSON `{"duration": "250ms"}`; at most an hour.
/// - `gantry.fail` fails: JSON `{"message": "…", "untilAttempt": 3}`, both optional; it succeeds
///   at that attempt. Without a payload every try fails.
void add_builtin_handlers(jobs::Registry& registry, Clock& clock);

}  // namespace gantry::worker
