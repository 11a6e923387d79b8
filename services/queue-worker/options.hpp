#pragma once

#include "gantry/admin/server.hpp"
#include "gantry/config/loader.hpp"
#include "gantry/kafka/options.hpp"
#include "gantry/orders/sync_worker.hpp"
#include "gantry/otlp/options.hpp"
#include "gantry/postgres/options.hpp"
#include "gantry/rpc/server.hpp"

#include <string>
#include <vector>

namespace gantry::worker {

/// Settings of running jobs, bound under `worker.`.
struct WorkerOptions {
    std::vector<std::string> queues{"default", "orders", "reports"};  ///< Queues to work on.
    int concurrency = 16;                                             ///< Jobs that run at a time.
    int channel_capacity = 100;       ///< Jobs that wait for a free thread; then polling pauses.
    milliseconds lease_after{1'000};  ///< A job running for longer takes a lease.
    milliseconds lease_time{8'000};   ///< A lease whose beat stands still for this long is taken.
    milliseconds promote_every{200};  ///< How often due timers are looked for.
    milliseconds maintain_every{600'000};  ///< How often partitions and retention are seen to.
    void bind(config::Binder& binder);
};

/// All settings of queue-worker.
struct Options {
    admin::Options admin;
    postgres::Options postgres;
    kafka::Options kafka;
    rpc::ServerOptions grpc;
    WorkerOptions worker;
    orders::SyncOptions sync;
    otlp::Options tracing;
    void bind(config::Binder& binder);
    [[nodiscard]] std::vector<config::Fault> validate() const;
};

}  // namespace gantry::worker
