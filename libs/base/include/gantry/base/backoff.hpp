#pragma once

#include "gantry/base/clock.hpp"

namespace gantry {

/// A uniformly random number in [0, 1) from a generator of the calling thread.
double random_unit();

/// Exponential backoff with full jitter: the n-th delay is uniform in [0, min(cap, base · 2ⁿ)],
/// but never under `floor`. Not thread-safe; a member of the loop that retries.
class Backoff {
public:
    struct Limits {
        milliseconds base{500};
        milliseconds cap{30'000};
        milliseconds floor{10};
    };

    Backoff() = default;
    explicit Backoff(Limits limits) : limits_(limits) {}

    /// The next delay; each call counts as one more failure.
    milliseconds next();

    /// Forgets the failures: call it after a success.
    void reset() { failures_ = 0; }

    [[nodiscard]] int failures() const { return failures_; }

    /// The upper bound of the delay after `failures` failures, without jitter and without overflow.
    [[nodiscard]] static milliseconds ceiling(const Limits& limits, int failures);

private:
    Limits limits_;
    int failures_ = 0;
};

}  // namespace gantry
