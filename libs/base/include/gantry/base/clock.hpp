#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>

namespace gantry {

using SteadyTime = std::chrono::steady_clock::time_point;
using Instant = std::chrono::system_clock::time_point;
using std::chrono::milliseconds;

/// Time as a dependency, so that tests can step it. Thread-safe.
class Clock {
public:
    virtual ~Clock() = default;

    /// Monotonic time, for durations and deadlines.
    [[nodiscard]] virtual SteadyTime steady_now() const = 0;

    /// Wall-clock time in UTC, for what is stored or shown.
    [[nodiscard]] virtual Instant now() const = 0;

    /// Blocks until `until`. Returns true when the time came, false when `stop` was requested first
    /// (at once if it already was).
    virtual bool sleep_until(SteadyTime until, std::stop_token stop) = 0;

    /// Blocks for `duration`; see `sleep_until`.
    bool sleep_for(SteadyTime::duration duration, std::stop_token stop) {
        return sleep_until(steady_now() + duration, std::move(stop));
    }
};

/// The process's real clock. It lives as long as the process.
Clock& system_clock();

/// A clock that moves only when told to. Sleepers wake when `advance` reaches their time.
class FakeClock final : public Clock {
public:
    /// `start` is the first wall-clock time; steady time starts at an arbitrary fixed point.
    explicit FakeClock(Instant start = Instant{std::chrono::seconds{1'767'225'600}});

    [[nodiscard]] SteadyTime steady_now() const override;
    [[nodiscard]] Instant now() const override;
    bool sleep_until(SteadyTime until, std::stop_token stop) override;

    /// Moves both clocks forward and wakes every sleeper whose time has come.
    void advance(SteadyTime::duration step);

    /// Moves the wall clock alone, as an operator or NTP would.
    void step_wall(Instant::duration step);

    /// Blocks until at least `count` threads sleep on this clock: the announce-signal of a test.
    void wait_for_sleepers(int count);

private:
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    SteadyTime steady_;
    Instant wall_;
    int sleepers_ = 0;
};

}  // namespace gantry
