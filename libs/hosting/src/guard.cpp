#include "guard.hpp"

#include "gantry/logging/log.hpp"

#include <pthread.h>
#include <algorithm>
#include <cstdio>
#include <utility>

namespace gantry::hosting {

void Guard::start() {
    thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
    pthread_setname_np(thread_.native_handle(), "host-guard");
}

void Guard::stop() {
    if (thread_.joinable()) {
        thread_.request_stop();
        thread_.join();
    }
}

void Guard::note(std::string activity, Watched watched) {
    auto heartbeat = watched == Watched::yes ? context_.watchdog.watch(activity) : nullptr;
    const std::lock_guard lock(mutex_);
    activity_ = std::move(activity);
    heartbeat_ = std::move(heartbeat);
}

void Guard::blame(std::string activity) {
    const std::lock_guard lock(mutex_);
    overdue_ += (overdue_.empty() ? "" : ", ") + std::move(activity);
}

void Guard::set_soft_limit(SteadyTime at, std::function<void()> action) {
    {
        const std::lock_guard lock(mutex_);
        soft_limit_ = at;
        soft_action_ = std::move(action);
    }
    alarm_.ring();
}

void Guard::cancel_soft_limit() {
    const std::lock_guard action(action_mutex_);
    const std::lock_guard lock(mutex_);
    soft_limit_ = SteadyTime::max();
}

void Guard::set_hard_limit(SteadyTime at, int code) {
    {
        const std::lock_guard lock(mutex_);
        if (hard_limit_ != SteadyTime::max()) {
            return;
        }
        hard_limit_ = at;
        hard_code_ = code;
    }
    alarm_.ring();
}

void Guard::cancel_hard_limit() {
    const std::lock_guard lock(mutex_);
    hard_limit_ = SteadyTime::max();
}

std::string Guard::culprit() const {
    const std::lock_guard lock(mutex_);
    return culprit_;
}

void Guard::run(const std::stop_token& stop) {
    constexpr std::chrono::seconds kStep{1};
    SteadyTime next_step = context_.clock.steady_now() + kStep;
    while (!stop.stop_requested()) {
        SteadyTime wake = next_step;
        {
            const std::lock_guard lock(mutex_);
            wake = std::min({wake, soft_limit_, hard_limit_});
        }
        alarm_.wait_until(wake, stop);
        const SteadyTime now = context_.clock.steady_now();
        if (now >= next_step) {
            context_.watchdog.step();
            each_second_();
            next_step = now + kStep;
        }
        look(now);
    }
}

void Guard::look(SteadyTime now) {
    act_if_due(now);
    std::string activity;
    int code = 0;
    {
        const std::lock_guard lock(mutex_);
        if (now < hard_limit_) {
            return;
        }
        hard_limit_ = SteadyTime::max();
        culprit_ = overdue_.empty() ? activity_ : overdue_ + ", then " + activity_;
        activity = culprit_;
        code = hard_code_;
    }
    logging::error("the host is out of time and exits", {{"while", activity}, {"exit_code", code}});
    std::fprintf(stderr, "%s: out of time while %s\n", context_.service.c_str(), activity.c_str());
    hard_exit_(code);
}

void Guard::act_if_due(SteadyTime now) {
    const std::lock_guard acting(action_mutex_);
    std::function<void()> action;
    {
        const std::lock_guard lock(mutex_);
        if (now < soft_limit_) {
            return;
        }
        soft_limit_ = SteadyTime::max();
        action = std::move(soft_action_);
    }
    action();
}

}  // namespace gantry::hosting
