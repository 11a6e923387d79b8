#pragma once

#include "gantry/base/backoff.hpp"
#include "gantry/base/clock.hpp"

namespace gantry::jobs {

/// How long a job waits before it is tried again: exponential with full jitter.
struct RetryPolicy {
    milliseconds base{1'000};
    milliseconds cap{3'600'000};

    /// The delay after the `attempt`-th try (from 1) failed: uniform in [0, min(cap, base · 2ⁿ⁻¹)],
    /// but never under 10 ms. `draw` is uniform in [0, 1).
    [[nodiscard]] milliseconds delay(int attempt, double draw = random_unit()) const;
};

}  // namespace gantry::jobs
