#include "gantry/hosting/background_service.hpp"

#include "attempt.hpp"

#include "gantry/logging/log.hpp"

#include <pthread.h>

namespace gantry::hosting {

BackgroundService::BackgroundService(std::string name, Context& context)
    : name_(std::move(name)),
      context_(context),
      heartbeat_(context.watchdog.watch(name_)),
      reporter_(context.health.reporter("service:" + name_, false)) {
    heartbeat_->pause();
}

BackgroundService::~BackgroundService() {
    join();
}

Result<void> BackgroundService::start(std::stop_token /*aborted*/) {
    heartbeat_->beat();
    thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
    constexpr std::size_t kLongestThreadName = 15;
    pthread_setname_np(thread_.native_handle(), name_.substr(0, kLongestThreadName).c_str());
    return {};
}

void BackgroundService::run(const std::stop_token& stop) {
    // On this thread, so that it cannot overwrite what the loop reports.
    report(health::Status::healthy, "running");
    finish(attempt(Thrown::by_work, [&] { return execute(stop); }));
    heartbeat_->pause();
    ended_.request_stop();
}

void BackgroundService::finish(Result<void> outcome) {
    {
        const std::lock_guard lock(mutex_);
        if (stop_asked_) {
            if (!outcome && outcome.error().code != Code::cancelled) {
                fault_during_stop_ = std::move(outcome).error();
            }
            return;
        }
    }
    if (on_end_) {
        on_end_(std::move(outcome));
    } else if (!outcome) {
        context_.lifetime.fault(name_, std::move(outcome).error());
    } else {
        context_.lifetime.stop("service `" + name_ + "` ended");
    }
}

Result<void> BackgroundService::stop(Deadline limit) {
    {
        const std::lock_guard lock(mutex_);
        stop_asked_ = true;
    }
    thread_.request_stop();
    if (thread_.joinable() && context_.clock.sleep_until(limit.at(), ended_.get_token()) &&
        !ended_.stop_requested()) {
        return fail(Code::deadline_exceeded, "the loop of `" + name_ + "` did not end in time");
    }
    const std::lock_guard lock(mutex_);
    if (fault_during_stop_) {
        return std::unexpected(*fault_during_stop_);
    }
    return {};
}

void BackgroundService::join() {
    {
        const std::lock_guard lock(mutex_);
        stop_asked_ = true;
    }
    if (thread_.joinable()) {
        thread_.request_stop();
        thread_.join();
    }
}

}  // namespace gantry::hosting
