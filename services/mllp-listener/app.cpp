#include "app.hpp"

#include "gantry/postgres/schema.hpp"
#include "hl7_api.hpp"
#include "listener.hpp"
#include "maintenance.hpp"

#include <algorithm>

namespace gantry::mllp {
namespace {

postgres::Options named(postgres::Options options) {
    options.application_name = App::kName;
    return options;
}

// A connection for each committer and one for its rehearsals. What takes longer than the messages
// may wait is of no use to them.
postgres::Options for_store(postgres::Options options, const Options& mllp) {
    options.application_name = std::string(App::kName) + "-store";
    options.pool_size = mllp.committers + 1;
    options.statement_timeout = std::min(options.statement_timeout, mllp.store_wait);
    options.idle_in_transaction_timeout =
        std::min(options.idle_in_transaction_timeout, mllp.store_wait);
    return options;
}

}  // namespace

void App::Options::bind(config::Binder& binder) {
    admin.bind(binder);
    grpc.bind(binder);
    postgres.bind(binder);
    mllp.bind(binder);
    binder.add("kafka.topic_prefix", topic_prefix, "First part of every topic's name.").required();
}

App::App(const Options& settings, hosting::Context& shared)
    : options(settings),
      context(shared),
      pool(named(options.postgres), shared.metrics),
      store_pool(for_store(options.postgres, options.mllp), shared.metrics),
      store(store_pool, options.mllp.store_wait),
      intake(options.mllp, options.topic_prefix, shared.clock),
      metrics(options.mllp, shared.metrics, shared.clock) {}

void App::compose(hosting::HostBuilder& host) {
    if (auto added = context.health.add(postgres::readiness_check(pool)); !added) {
        context.lifetime.fault("postgres", added.error());
    }
    host.add("admin", [this] { return std::make_unique<admin::Server>(options.admin, context); });
    host.add("hl7-maintenance",
             [this] { return std::make_unique<Maintenance>(options.mllp, context, pool); });
    host.add("hl7-committer", [this] {
        auto made = std::make_unique<Committer>(options.mllp, context, store, intake, metrics);
        committer = made.get();
        return made;
    });
    host.add("grpc", [this] {
        auto server = std::make_unique<rpc::Server>(options.grpc, context);
        server->add(std::make_unique<Hl7Api>(server->executor(), pool));
        return server;
    });
    // Last in, so first to stop: the committer outlives the connections it answers.
    host.add("mllp", [this] {
        return std::make_unique<Listener>(options.mllp, context, *committer, intake, metrics);
    });
}

}  // namespace gantry::mllp
