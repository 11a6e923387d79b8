#pragma once

#include "gantry/base/clock.hpp"

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace gantry::logging {

/// Lets one line through in each period, for a failure that may come a thousand times a second.
/// Thread-safe.
///
/// ```
/// if (const auto held_back = throttle_.pass(clock.steady_now())) {
///     logging::warning("a frame was refused", {{"held_back", *held_back}});
/// }
/// ```
class Throttle {
public:
    explicit Throttle(milliseconds period) : period_(period) {}

    /// How many lines were held back since the last one that passed, if this one passes.
    std::optional<std::int64_t> pass(SteadyTime now) {
        const std::lock_guard lock(mutex_);
        if (passed_ && now - *passed_ < period_) {
            ++held_back_;
            return std::nullopt;
        }
        passed_ = now;
        return std::exchange(held_back_, 0);
    }

private:
    // Constant after construction.
    milliseconds period_;
    // Guarded by mutex_.
    std::mutex mutex_;
    std::optional<SteadyTime> passed_;
    std::int64_t held_back_ = 0;
};

}  // namespace gantry::logging
