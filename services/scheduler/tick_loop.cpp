#include "tick_loop.hpp"

#include "gantry/base/backoff.hpp"
#include "gantry/logging/log.hpp"

#include <algorithm>

namespace gantry::scheduler {

TickLoop::TickLoop(TickerOptions options, Store& store, hosting::Context& context)
    : BackgroundService("ticker", context),
      ticker_(options, store, context.clock, context.metrics),
      health_(context.health.reporter("ticker", false)) {}

TickLoop::~TickLoop() {
    join();
}

Result<void> TickLoop::execute(std::stop_token stop) {
    // Short, because a fire that waits for the database is late already.
    Backoff backoff(
        {.base = milliseconds{200}, .cap = milliseconds{5'000}, .floor = milliseconds{50}});
    auto& clock = context().clock;
    while (!stop.stop_requested()) {
        beat();
        const auto next = ticker_.run_once(stop);
        if (next) {
            backoff.reset();
            health_.report(health::Status::healthy);
            // Never longer than the watchdog's patience.
            clock.sleep_until(std::min(*next, clock.steady_now() + milliseconds{1'000}), stop);
            continue;
        }
        health_.report(health::Status::degraded, std::string(to_string(next.error().code)));
        if (backoff.failures() == 0) {
            logging::warning("tick failed; nothing is lost, it is tried again", next.error());
        }
        clock.sleep_for(backoff.next(), stop);
    }
    return {};
}

}  // namespace gantry::scheduler
