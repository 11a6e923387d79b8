#pragma once

#include "committer.hpp"
#include "gantry/admin/server.hpp"
#include "gantry/hosting/run.hpp"
#include "gantry/postgres/pool.hpp"
#include "gantry/rpc/server.hpp"
#include "intake.hpp"
#include "listener_metrics.hpp"
#include "options.hpp"
#include "postgres_store.hpp"

#include <string>
#include <string_view>

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
        std::string topic_prefix = "gantry";
        void bind(config::Binder& binder);
    };

    App(const Options& settings, hosting::Context& shared);
    void compose(hosting::HostBuilder& host);

    Options options;
    hosting::Context& context;
    postgres::Pool pool;
    PostgresStore store;
    Intake intake;
    ListenerMetrics metrics;
    Committer* committer = nullptr;  // owned by the host
};

}  // namespace gantry::mllp
