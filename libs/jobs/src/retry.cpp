#include "gantry/jobs/retry.hpp"

#include <algorithm>

namespace gantry::jobs {

milliseconds RetryPolicy::delay(int attempt, double draw) const {
    constexpr milliseconds kFloor{10};
    const auto ceiling = Backoff::ceiling({base, cap, kFloor}, std::max(0, attempt - 1));
    const auto drawn = static_cast<milliseconds::rep>(draw * static_cast<double>(ceiling.count()));
    return std::clamp(milliseconds{drawn}, std::min(kFloor, ceiling), ceiling);
}

}  // namespace gantry::jobs
