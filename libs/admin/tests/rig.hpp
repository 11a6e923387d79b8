#pragma once

#include "../src/pages.hpp"

#include "gantry/hosting/context.hpp"

#include <string_view>

namespace gantry::admin {

/// What the pages speak of, on a fake clock.
struct Rig {
    FakeClock clock;
    metrics::Registry metrics;
    health::Registry health{clock};
    health::Watchdog watchdog{clock, {}};
    hosting::Lifetime lifetime;
    hosting::Context context{"relay", "1.2.3", clock, metrics, health, watchdog, lifetime};

    Answer get(std::string_view target) { return answer(context, "GET", target); }
    void start() {
        lifetime.enter(hosting::Phase::starting);
        lifetime.enter(hosting::Phase::started);
    }
};

}  // namespace gantry::admin
