#pragma once

#include "gantry/base/clock.hpp"

#include <mutex>
#include <stop_token>

namespace gantry::hosting {

/// Lets one thread sleep on a clock until a time, or until another thread rings. Any thread may
/// ring; one thread waits. A ring before the wait is not lost: the next wait returns at once.
class Alarm {
public:
    explicit Alarm(Clock& clock) : clock_(clock) {}

    void ring();

    /// Waits until `until`, a ring, or `stop`. Returns whether it was ended by a ring or by `stop`.
    bool wait_until(SteadyTime until, const std::stop_token& stop = {});

private:
    Clock& clock_;
    // Guarded by mutex_; a requested stop is a ring that no wait has seen yet.
    std::mutex mutex_;
    std::stop_source rung_;
};

}  // namespace gantry::hosting
