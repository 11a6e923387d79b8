#include "gantry/health/heartbeat.hpp"

#include "gantry/logging/log.hpp"

#include <algorithm>

namespace gantry::health {

std::shared_ptr<Heartbeat> Watchdog::watch(std::string name) {
    auto heartbeat = std::make_shared<Heartbeat>(*clock_);
    const std::lock_guard lock(mutex_);
    watched_.push_back({std::move(name), heartbeat});
    return heartbeat;
}

void Watchdog::step() {
    const SteadyTime now = clock_->steady_now();
    const std::lock_guard lock(mutex_);
    std::erase_if(watched_, [](const Watched& watched) { return watched.heartbeat.expired(); });
    for (Watched& watched : watched_) {
        const auto heartbeat = watched.heartbeat.lock();
        const SteadyTime last = heartbeat ? heartbeat->last() : SteadyTime::max();
        // A paused heartbeat lies in the future.
        const auto silence = last > now ? SteadyTime::duration{0} : now - last;
        if (silence <= limits_.limit) {
            if (watched.missed) {
                logging::info("loop beats again", {{"loop", watched.name}});
            }
            watched.missed = false;
            watched.stalled = false;
            continue;
        }
        if (!watched.missed) {
            watched.missed = true;
            ++misses_;
            logging::warning(
                "loop is silent",
                {{"loop", watched.name},
                 {"silent_ms", std::chrono::duration_cast<std::chrono::milliseconds>(silence)}});
        }
        if (!watched.stalled && silence > limits_.limit * limits_.strikes) {
            watched.stalled = true;
            logging::error("loop is stalled; liveness fails", {{"loop", watched.name}});
        }
    }
}

std::vector<std::string> Watchdog::stalled() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const Watched& watched : watched_) {
        // A service with several threads has several of one name.
        if (watched.stalled && !watched.heartbeat.expired() &&
            std::ranges::find(names, watched.name) == names.end()) {
            names.push_back(watched.name);
        }
    }
    return names;
}

}  // namespace gantry::health
