#include "app.hpp"

#include "gantry/admin/server.hpp"
#include "gantry/base/ensure.hpp"
#include "gantry/kafka/health.hpp"
#include "gantry/otlp/exporter.hpp"
#include "gantry/postgres/schema.hpp"
#include "gantry/rpc/server.hpp"
#include "maintenance.hpp"
#include "outbox_api.hpp"
#include "relay.hpp"

#include <stdexcept>

namespace gantry::relay {
namespace {

Options named(const config::Live<Options>& live) {
    Options options = *live.get();
    options.postgres.url_now = [&live] { return live.get()->postgres.url; };
    options.postgres.application_name = App::kName;
    if (options.kafka.client_id.empty()) {
        options.kafka.client_id = App::kName;
    }
    return options;
}

std::unique_ptr<kafka::Admin> make_admin(const kafka::Options& options) {
    auto admin = kafka::Admin::create(options);
    if (!admin) {
        throw std::runtime_error(admin.error().message);
    }
    return std::move(*admin);
}

}  // namespace

App::App(const config::Live<Options>& live, hosting::Context& context)
    : live_(live),
      options_(named(live)),
      context_(context),
      pool_(options_.postgres, context.metrics),
      admin_(make_admin(options_.kafka)),
      topics_(context.clock),
      stats_(context.metrics, context.clock) {}

void App::compose(hosting::HostBuilder& host) {
    ENSURE(context_.health.add(postgres::readiness_check(pool_)),
           "the health check postgres is new");
    ENSURE(context_.health.add(kafka::readiness_check(*admin_)), "the health check kafka is new");
    host.add_outermost(
        "admin", [this] { return std::make_unique<admin::Server>(options_.admin, context_); });
    otlp::add_exporter(host, context_, [this] { return live_.get()->tracing; });
    host.add("topics", [this] {
        return std::make_unique<TopicService>("topics", context_, options_, pool_, *admin_,
                                              topics_);
    });
    host.add("maintenance", [this] {
        return std::make_unique<Maintenance>("maintenance", context_, live_, pool_);
    });
    host.add("relay", [this] {
        return std::make_unique<Relay>("relay", context_, options_, topics_, stats_);
    });
    host.add("grpc", [this] {
        auto server = std::make_unique<rpc::Server>(options_.grpc, context_);
        server->add(std::make_unique<OutboxApi>(server->executor(), pool_, stats_));
        return server;
    });
}

}  // namespace gantry::relay
