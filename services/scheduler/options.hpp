#pragma once

#include "gantry/admin/server.hpp"
#include "gantry/config/loader.hpp"
#include "gantry/otlp/options.hpp"
#include "gantry/postgres/options.hpp"
#include "gantry/rpc/server.hpp"

#include <string>
#include <vector>

namespace gantry::scheduler {

/// How schedules are looked at and fired, bound under `scheduler.`.
struct TickerOptions {
    milliseconds poll_interval{
        1'000};  ///< How often edits and other replicas' progress are looked for.
    milliseconds takeover_after{
        250};  ///< How much later than its owner another replica fires a shard.
    milliseconds missed_after{10'000};  ///< A fire later than this is left to the catch-up policy.
    int batch_size = 1'000;             ///< Most fires of one transaction.
};

/// Settings of the scheduler.
struct Options {
    admin::Options admin;
    rpc::ServerOptions grpc;
    postgres::Options postgres;
    TickerOptions ticker;
    otlp::Options tracing;
    std::string schedules_file;
    milliseconds upkeep_interval{300'000};

    void bind(config::Binder& binder);

    /// The faults of `schedules_file`, which are configuration faults.
    [[nodiscard]] std::vector<config::Fault> validate() const;
};

}  // namespace gantry::scheduler
