#pragma once

#include "committer.hpp"
#include "gantry/admin/server.hpp"
#include "gantry/hosting/run.hpp"
#include "gantry/otlp/options.hpp"
#include "gantry/postgres/pool.hpp"
#include "gantry/rpc/server.hpp"
#include "intake.hpp"
#include "listener_metrics.hpp"
#include "options.hpp"
#include "postgres_store.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gantry::mllp {

/// The mllp-listener: everything the process shares, in dependency order.
struct App {
    static constexpr std::string_view kName = "mllp-listener";
    static constexpr std::string_view kSummary =
        "Receives HL7 v2 messages over MLLP and acknowledges them once they are stored.";

    struct Options {
        admin::Options admin;
        rpc::ServerOptions grpc;
        postgres::Options postgres;
        mllp::Options mllp;
        otlp::Options tracing;
        std::string topic_prefix = "gantry";
        void bind(config::Binder& binder);
        [[nodiscard]] std::vector<config::Fault> validate() const { return mllp.validate(); }
    };

    App(const config::Live<Options>& now, hosting::Context& shared);
    void compose(hosting::HostBuilder& host);

    const config::Live<Options>& live;
    Options options;  // of the start
    hosting::Context& context;
    postgres::Pool pool;        // the API's and the maintenance's
    postgres::Pool store_pool;  // the committers': no other work keeps them waiting
    PostgresStore store;
    Intake intake;
    ListenerMetrics metrics;
    Committer* committer = nullptr;  // owned by the host
};

}  // namespace gantry::mllp
