#pragma once

#include "gantry/config/live.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/host.hpp"
#include "gantry/http/client.hpp"
#include "gantry/jobs/completer.hpp"
#include "gantry/jobs/enqueuer.hpp"
#include "gantry/jobs/handler.hpp"
#include "gantry/jobs/job_store.hpp"
#include "gantry/jobs/leases.hpp"
#include "gantry/jobs/partitions.hpp"
#include "gantry/kafka/admin.hpp"
#include "gantry/orders/order_store.hpp"
#include "gantry/postgres/pool.hpp"
#include "job_metrics.hpp"
#include "options.hpp"
#include "runner.hpp"
#include "work.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace gantry::worker {

/// queue-worker's composition root: everything the process shares, in dependency order.
class App {
public:
    static constexpr std::string_view kName = "queue-worker";
    static constexpr std::string_view kSummary =
        "Accepts jobs and orders, and runs jobs that Kafka wakes.";
    using Options = worker::Options;

    App(const config::Live<Options>& live, hosting::Context& context);

    /// Admin port, upkeep, order sync, leases, dispatch, gRPC, in start order.
    void compose(hosting::HostBuilder& host);

private:
    const config::Live<Options>& live_;
    Options options_;  // of the start
    hosting::Context& context_;
    std::string owner_;
    postgres::Pool pool_;  // the API's
    postgres::Pool
        handler_pool_;  // so that a burst of calls cannot starve the handlers, nor they it
    postgres::Pool control_pool_;  // for what keeps jobs alive: a connection for each of its loops
    std::unique_ptr<kafka::Admin> kafka_;
    std::unique_ptr<http::Client> http_;
    jobs::Enqueuer enqueuer_;
    jobs::JobStore jobs_;
    orders::OrderStore orders_;         // the API's
    orders::OrderStore order_effects_;  // the handlers'
    jobs::Registry handlers_;
    JobMetrics metrics_;
    Work work_;
    jobs::CompletionStore completions_;  // the completer's
    jobs::CompletionStore completions_with_effects_;
    jobs::LeaseStore leases_;
    jobs::PartitionStore partitions_;
    jobs::SqlCompletionSink sink_;
    Runner runner_;
    // Last: its thread calls back into the runner and the work.
    jobs::Completer completer_;
};

}  // namespace gantry::worker
