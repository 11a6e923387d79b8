#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"

#include <functional>
#include <stop_token>

namespace gantry::hosting {

/// A part of the process that the host starts, watches and stops.
///
/// The host calls `start`, then `stop`, each at most once per instance and never concurrently, so
/// implementations need no locking for lifecycle state.
class HostedService {
public:
    virtual ~HostedService() = default;

    /// Returns once the service can do its work. An error aborts start-up, and whatever already
    /// started is stopped in reverse. `aborted` fires when the host gives up starting. A dependency
    /// that is away is no error: start, be unready, and keep trying.
    virtual Result<void> start(std::stop_token aborted) = 0;

    /// Blocks until no work remains or `limit` passes. Safe after a failed start.
    virtual Result<void> stop(Deadline limit) = 0;

    /// Told once when the service's own work ended although nobody asked it to: with an error after
    /// a fault, with a value after a normal return.
    using EndCallback = std::function<void(Result<void>)>;

    /// Called by the host before `start`. A service with a loop keeps the callback and calls it
    /// from the loop's thread as the loop's last act; one without a loop has no end of its own.
    virtual void on_end(EndCallback /*callback*/) {}
};

}  // namespace gantry::hosting
