#pragma once

#include "gantry/config/live.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/host.hpp"
#include "gantry/postgres/pool.hpp"
#include "options.hpp"
#include "schedule_queries.hpp"
#include "store.hpp"

#include <string_view>

namespace gantry::scheduler {

/// The scheduler's composition root: everything the process shares, in dependency order.
class App {
public:
    static constexpr std::string_view kName = "scheduler";
    static constexpr std::string_view kSummary =
        "Makes jobs and events when their schedules say so, each once.";
    using Options = scheduler::Options;

    App(const config::Live<Options>& live, hosting::Context& context);

    /// Admin port, ticker, upkeep, gRPC, in start order.
    void compose(hosting::HostBuilder& host);

private:
    const config::Live<Options>& live_;
    Options options_;  // of the start
    hosting::Context& context_;
    postgres::Pool tick_pool_;  // one session with short timeouts, so that it cannot hold a shard
    postgres::Pool pool_;
    Store ticks_;
    Store store_;
    ScheduleQueries queries_;
};

}  // namespace gantry::scheduler
