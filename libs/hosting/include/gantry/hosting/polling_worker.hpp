#pragma once

#include "gantry/base/backoff.hpp"
#include "gantry/hosting/alarm.hpp"
#include "gantry/hosting/background_service.hpp"
#include "gantry/hosting/interval.hpp"

#include <chrono>
#include <functional>
#include <optional>

namespace gantry::hosting {

/// A loop that does a piece of work every interval.
///
/// `run_once` never overlaps itself. After an error it is tried again after a backoff with jitter,
/// the worker keeps going, its health shows Degraded with the error's code, and the next success
/// clears it. A failure that lasts is logged when it begins, every half minute, and when it ends.
class PollingWorker : public BackgroundService {
public:
    struct Options {
        /// From the end of one run to the start of the next. One that may change is asked for again
        /// in the course of a wait, so that a shorter one ends a long wait within seconds.
        Interval interval{std::chrono::milliseconds{5'000}};
        double jitter = 0.1;        ///< Each interval is drawn from interval × (1 ± jitter).
        Backoff::Limits backoff{};  ///< After errors; its cap is at most the interval.
        bool run_at_start = true;   ///< Whether the first run waits for an interval.
    };

    PollingWorker(std::string name, Context& context, Options options);

    /// Runs as soon as the loop is free instead of at the end of the interval. Thread-safe.
    void wake();

protected:
    /// One piece of work. Returns whether there is more to do now (then it runs again without
    /// waiting).
    enum class Next { wait, again };
    virtual Result<Next> run_once(std::stop_token stop) = 0;

    Result<void> execute(std::stop_token stop) final;

private:
    Result<Next> attempt(const std::stop_token& stop);
    void succeeded();
    void failed(const Error& error);
    void wait(const std::function<std::chrono::milliseconds()>& pause, const std::stop_token& stop);
    void wait_interval(const std::stop_token& stop);

    // Constant after construction.
    Options options_;
    metrics::Counter& successes_;
    metrics::Counter& failures_;
    metrics::Histogram& duration_;
    // Used by the loop only.
    std::optional<Code> failing_with_;
    int failures_in_a_row_ = 0;
    SteadyTime next_log_{};
    // Self-synchronised.
    Alarm alarm_;
};

}  // namespace gantry::hosting
