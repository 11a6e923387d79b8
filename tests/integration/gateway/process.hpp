#pragma once

#include "gantry/health/heartbeat.hpp"
#include "gantry/health/registry.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/lifetime.hpp"
#include "gantry/metrics/registry.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <thread>

namespace gantry::testing {

/// What a process gives its parts, without the process.
struct Process {
    explicit Process(std::string name)
        : context{std::move(name), "0", system_clock(), metrics, health, watchdog, lifetime} {}
    metrics::Registry metrics;
    health::Registry health{system_clock()};
    health::Watchdog watchdog{system_clock(), {}};
    hosting::Lifetime lifetime;
    hosting::Context context;

    void started() { lifetime.enter(hosting::Phase::started); }
};

/// Looks every few milliseconds until `holds`, for at most `limit`. For what gives no signal, such
/// as another thread's socket.
inline bool eventually(const std::function<bool()>& holds,
                       std::chrono::milliseconds limit = std::chrono::seconds(15)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

}  // namespace gantry::testing
