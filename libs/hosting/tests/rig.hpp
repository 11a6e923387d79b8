#pragma once

#include "gantry/hosting/context.hpp"
#include "gantry/hosting/host.hpp"
#include "gantry/metrics/registry.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace gantry::hosting {

/// Everything that a host needs, on a fake clock.
struct Rig {
    FakeClock clock;
    metrics::Registry metrics;
    health::Registry health{clock};
    health::Watchdog watchdog{clock, {}};
    Lifetime lifetime;
    Context context{"test", "0", clock, metrics, health, watchdog, lifetime};
};

/// What happened, in order; a test waits for an entry instead of sleeping. Thread-safe.
class Diary {
public:
    void add(std::string entry) {
        const std::lock_guard lock(mutex_);
        entries_.push_back(std::move(entry));
        changed_.notify_all();
    }
    std::vector<std::string> entries() {
        const std::lock_guard lock(mutex_);
        return entries_;
    }
    void wait_for_count(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return entries_.size() >= count; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> entries_;
};

}  // namespace gantry::hosting
