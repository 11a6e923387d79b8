#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/health/heartbeat.hpp"
#include "gantry/health/registry.hpp"
#include "gantry/hosting/lifetime.hpp"
#include "gantry/metrics/registry.hpp"

#include <string>

namespace gantry::hosting {

/// What every part of a process shares. Owned by `run`, it outlives the app.
struct Context {
    std::string service;  ///< The binary's name, for example `queue-worker`.
    std::string version;  ///< The release, for example `0.1.0`.
    Clock& clock;
    metrics::Registry& metrics;
    health::Registry& health;
    health::Watchdog& watchdog;
    Lifetime& lifetime;

    /// Whether the process takes work: it has started, does not stop, and every readiness check
    /// holds.
    [[nodiscard]] bool ready() const {
        return lifetime.phase() == Phase::started && !lifetime.stopping().stop_requested() &&
               health.ready();
    }
};

}  // namespace gantry::hosting
