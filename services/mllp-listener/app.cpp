#include "app.hpp"

#include "gantry/otlp/exporter.hpp"
#include "gantry/postgres/schema.hpp"
#include "hl7_api.hpp"
#include "listener.hpp"
#include "maintenance.hpp"

#include <algorithm>

namespace gantry::mllp {
namespace {

App::Options named(const config::Live<App::Options>& live) {
    App::Options options = *live.get();
    options.postgres.application_name = App::kName;
    options.postgres.url_now = [&live] { return live.get()->postgres.url; };
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
    tracing.bind(binder);
    binder.add("kafka.topic_prefix", topic_prefix, "First part of every topic's name.").required();
}

App::App(const config::Live<Options>& now, hosting::Context& shared)
    : live(now),
      options(named(now)),
      context(shared),
      pool(options.postgres, shared.metrics),
      store_pool(for_store(options.postgres, options.mllp), shared.metrics),
      store(store_pool, options.mllp.store_wait),
      intake(options.mllp, options.topic_prefix, shared.clock),
      metrics(options.mllp, shared.metrics, shared.clock) {}

void App::compose(hosting::HostBuilder& host) {
    if (auto added = context.health.add(postgres::readiness_check(pool)); !added) {
        context.lifetime.fault("postgres", added.error());
    }
    host.add_outermost("admin",
                       [this] { return std::make_unique<admin::Server>(options.admin, context); });
    otlp::add_exporter(host, context, [this] { return live.get()->tracing; });
    host.add("hl7-maintenance", [this] {
        return std::make_unique<Maintenance>([this] { return live.get()->mllp; }, context, pool);
    });
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
