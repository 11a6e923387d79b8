#include "gantry/hosting/polling_worker.hpp"

#include "attempt.hpp"

#include "gantry/logging/log.hpp"

#include <algorithm>

namespace gantry::hosting {
namespace {

constexpr milliseconds kLogEvery{30'000};

}  // namespace

PollingWorker::PollingWorker(std::string name, Context& context, Options options)
    : BackgroundService(std::move(name), context),
      options_(std::move(options)),
      successes_(context.metrics.counter("gantry_polling_runs_total", "Runs of polling workers.",
                                         {{"worker", this->name()}, {"outcome", "success"}})),
      failures_(context.metrics.counter("gantry_polling_runs_total", "Runs of polling workers.",
                                        {{"worker", this->name()}, {"outcome", "failure"}})),
      duration_(context.metrics.histogram("gantry_polling_run_duration_seconds",
                                          "How long a run of a polling worker takes.",
                                          {{"worker", this->name()}})),
      alarm_(context.clock) {
    options_.backoff.cap = std::min(options_.backoff.cap, options_.interval.now());
    options_.backoff.floor = std::min(options_.backoff.floor, options_.backoff.cap);
}

void PollingWorker::wake() {
    alarm_.ring();
}

Result<PollingWorker::Next> PollingWorker::attempt(const std::stop_token& stop) {
    const SteadyTime began = context().clock.steady_now();
    auto result = hosting::attempt(Thrown::by_work, [&] { return run_once(stop); });
    const std::chrono::duration<double> took = context().clock.steady_now() - began;
    duration_.observe(took.count());
    if (!result && stop.stop_requested() && result.error().code == Code::cancelled) {
        return Next::wait;
    }
    if (result) {
        succeeded();
    } else {
        failed(result.error());
    }
    return result;
}

void PollingWorker::succeeded() {
    successes_.increment();
    // Not after every success, because what the run itself has reported has to stay.
    if (failing_with_.has_value()) {
        report(health::Status::healthy, "running");
        logging::info("runs succeed again", {{"worker", name()}, {"failures", failures_in_a_row_}});
        failing_with_.reset();
        failures_in_a_row_ = 0;
    }
}

void PollingWorker::failed(const Error& error) {
    failures_.increment();
    ++failures_in_a_row_;
    context().lifetime.record_error(name(), error, context().clock.now());
    report(health::Status::degraded, "last run failed: " + std::string(to_string(error.code)));
    const SteadyTime now = context().clock.steady_now();
    if (failing_with_ == error.code && now < next_log_) {
        return;
    }
    failing_with_ = error.code;
    next_log_ = now + kLogEvery;
    logging::warning("run failed", error, {{"worker", name()}, {"failures", failures_in_a_row_}});
}

Result<void> PollingWorker::execute(std::stop_token stop) {
    Backoff backoff(options_.backoff);
    if (!options_.run_at_start) {
        wait_interval(stop);
    }
    while (!stop.stop_requested()) {
        beat();
        const auto result = attempt(stop);
        if (!result) {
            wait([pause = backoff.next()] { return pause; }, stop);
            continue;
        }
        backoff.reset();
        if (*result == Next::wait) {
            wait_interval(stop);
        }
    }
    return {};
}

void PollingWorker::wait_interval(const std::stop_token& stop) {
    const double factor = 1.0 + options_.jitter * (2.0 * random_unit() - 1.0);
    wait(
        [this, factor] {
            return std::chrono::duration_cast<milliseconds>(options_.interval.now() * factor);
        },
        stop);
}

void PollingWorker::wait(const std::function<milliseconds()>& pause, const std::stop_token& stop) {
    // In slices, so that an idle loop beats too.
    constexpr milliseconds kSlice{3'000};
    const SteadyTime begin = context().clock.steady_now();
    while (!stop.stop_requested()) {
        beat();
        const SteadyTime now = context().clock.steady_now();
        const SteadyTime end = begin + pause();
        if (now >= end || alarm_.wait_until(std::min(end, now + kSlice), stop)) {
            return;
        }
    }
}

}  // namespace gantry::hosting
