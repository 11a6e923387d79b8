#pragma once

#include "gantry/base/clock.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace gantry::health {

/// The sign of life of one loop. The loop calls `beat()` at least once per `limit` of its watchdog,
/// also when idle. Wait-free; owned by the loop's service.
class Heartbeat {
public:
    explicit Heartbeat(const Clock& clock) : clock_(&clock), last_(clock.steady_now()) {}
    void beat() { last_.store(clock_->steady_now(), std::memory_order_relaxed); }
    [[nodiscard]] SteadyTime last() const { return last_.load(std::memory_order_relaxed); }
    /// Not watched until the next beat: before the loop runs, and after it has ended.
    void pause() { last_.store(SteadyTime::max(), std::memory_order_relaxed); }

private:
    const Clock* clock_;
    std::atomic<SteadyTime> last_;
};

/// Watches heartbeats. A loop silent for `limit` is a miss, counted and logged once per stall;
/// silent for `limit × strikes` it is stalled, and liveness turns red. Thread-safe.
class Watchdog {
public:
    struct Limits {
        std::chrono::milliseconds limit{10'000};
        int strikes = 3;
    };

    Watchdog(Clock& clock, Limits limits) : clock_(&clock), limits_(limits) {}

    /// Watches the loop `name` until the returned heartbeat is released.
    std::shared_ptr<Heartbeat> watch(std::string name);

    /// Looks at every heartbeat once. The host calls it from its own thread once a second.
    void step();

    /// Names of loops that are stalled now, as of the last `step`.
    [[nodiscard]] std::vector<std::string> stalled() const;

    /// Misses since the start.
    [[nodiscard]] int misses() const { return misses_.load(); }

private:
    struct Watched {
        std::string name;
        std::weak_ptr<Heartbeat> heartbeat;
        bool missed = false;
        bool stalled = false;
    };
    // Constant after construction.
    Clock* clock_;
    Limits limits_;
    // Self-synchronised.
    std::atomic<int> misses_{0};
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::vector<Watched> watched_;
};

}  // namespace gantry::health
