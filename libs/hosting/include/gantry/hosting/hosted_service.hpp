#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"

#include <stop_token>

namespace gantry::hosting {

/// A part of the process that the host starts, watches and stops.
///
/// The host calls `start`, then `stop`, each at most once per instance and never concurrently, so
/// implementations need no locking for lifecycle state.
class HostedService {
public:
    virtual ~HostedService() = default;

    /// Returns once the service can do its work. An error aborts start-up, and whatever already started
    /// is stopped in reverse. `aborted` fires when the host gives up starting. A dependency that is away
    /// is no error: start, be unready, and keep trying.
    virtual Result<void> start(std::stop_token aborted) = 0;

    /// Blocks until no work remains or `limit` passes. Safe after a failed start.
    virtual Result<void> stop(Deadline limit) = 0;
};

}  // namespace gantry::hosting
