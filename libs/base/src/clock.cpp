#include "gantry/base/clock.hpp"

#include <optional>

namespace gantry {
namespace {

class SystemClock final : public Clock {
public:
    [[nodiscard]] SteadyTime steady_now() const override {
        return std::chrono::steady_clock::now();
    }

    [[nodiscard]] Instant now() const override { return std::chrono::system_clock::now(); }

    bool sleep_until(SteadyTime until, std::stop_token stop) override {
        std::mutex mutex;
        std::condition_variable_any wake;
        std::unique_lock lock(mutex);
        wake.wait_until(lock, stop, until, [] { return false; });
        return !stop.stop_requested();
    }
};

}  // namespace

Clock& system_clock() {
    static SystemClock clock;
    return clock;
}

FakeClock::FakeClock(Instant start) : steady_(SteadyTime{std::chrono::hours{1000}}), wall_(start) {}

SteadyTime FakeClock::steady_now() const {
    const std::lock_guard lock(mutex_);
    return steady_;
}

Instant FakeClock::now() const {
    const std::lock_guard lock(mutex_);
    return wall_;
}

bool FakeClock::sleep_until(SteadyTime until, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    // `advance` forgets all sleepers; those whose time has not come announce themselves again, so
    // that `wait_for_sleepers` after it never counts one that is about to wake.
    std::optional<SteadyTime> announced;
    changed_.wait(lock, stop, [&] {
        if (steady_ >= until) {
            return true;
        }
        if (announced != steady_) {
            announced = steady_;
            ++sleepers_;
            changed_.notify_all();
        }
        return false;
    });
    if (announced == steady_) {
        --sleepers_;
    }
    return !stop.stop_requested();
}

void FakeClock::advance(SteadyTime::duration step) {
    const std::lock_guard lock(mutex_);
    if (step == SteadyTime::duration{0}) {
        return;
    }
    steady_ += step;
    wall_ += std::chrono::duration_cast<Instant::duration>(step);
    sleepers_ = 0;
    changed_.notify_all();
}

void FakeClock::step_wall(Instant::duration step) {
    const std::lock_guard lock(mutex_);
    wall_ += step;
}

void FakeClock::wait_for_sleepers(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return sleepers_ >= count; });
}

}  // namespace gantry
