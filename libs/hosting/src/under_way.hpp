#pragma once

#include "guard.hpp"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace gantry::hosting {

/// Keeps the guard told which services are still being started or stopped, so that it names the
/// right ones when time is up. Thread-safe.
class UnderWay {
public:
    UnderWay(Guard& guard, std::string verb, Guard::Watched watched)
        : guard_(guard), verb_(std::move(verb)), watched_(watched) {}

    void begin(const std::string& name) {
        const std::lock_guard lock(mutex_);
        names_.push_back(name);
        tell();
    }
    void end(const std::string& name) {
        const std::lock_guard lock(mutex_);
        std::erase(names_, name);
        if (!names_.empty()) {
            tell();
        }
    }

private:
    void tell() {
        std::string activity = verb_ + (names_.size() == 1 ? " service " : " services ");
        for (const std::string& name : names_) {
            activity += (&name == &names_.front() ? "`" : ", `") + name + "`";
        }
        guard_.note(std::move(activity), watched_);
    }

    // Constant after construction.
    Guard& guard_;
    std::string verb_;
    Guard::Watched watched_;
    // Guarded by mutex_.
    std::mutex mutex_;
    std::vector<std::string> names_;
};

}  // namespace gantry::hosting
