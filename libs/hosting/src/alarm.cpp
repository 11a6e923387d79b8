#include "gantry/hosting/alarm.hpp"

namespace gantry::hosting {

void Alarm::ring() {
    std::stop_source rung;
    {
        const std::lock_guard lock(mutex_);
        rung = rung_;
    }
    // Outside the lock: this wakes the sleeper, which takes it.
    rung.request_stop();
}

bool Alarm::wait_until(SteadyTime until, const std::stop_token& stop) {
    std::stop_source rung;
    {
        const std::lock_guard lock(mutex_);
        rung = rung_;
    }
    {
        const std::stop_callback pass_on(stop, [&] { rung.request_stop(); });
        clock_.sleep_until(until, rung.get_token());
    }
    const std::lock_guard lock(mutex_);
    if (!rung_.stop_requested()) {
        return false;
    }
    rung_ = std::stop_source();
    return true;
}

}  // namespace gantry::hosting
