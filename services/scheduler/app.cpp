#include "app.hpp"

#include "gantry/admin/server.hpp"
#include "gantry/base/ensure.hpp"
#include "gantry/otlp/exporter.hpp"
#include "gantry/postgres/schema.hpp"
#include "gantry/rpc/server.hpp"
#include "schedule_api.hpp"
#include "tick_loop.hpp"
#include "upkeep.hpp"

#include <memory>

namespace gantry::scheduler {

namespace {

Options named(const config::Live<Options>& live) {
    Options options = *live.get();
    options.postgres.url_now = [&live] { return live.get()->postgres.url; };
    return options;
}

}  // namespace

App::App(const config::Live<Options>& live, hosting::Context& context)
    : live_(live),
      options_(named(live)),
      context_(context),
      tick_pool_(tick_session(options_.postgres), context.metrics),
      pool_(options_.postgres, context.metrics),
      ticks_(tick_pool_),
      store_(pool_),
      queries_(pool_) {}

void App::compose(hosting::HostBuilder& host) {
    // The name is used once: a second registration would be a broken invariant of this function.
    ENSURE(context_.health.add(postgres::readiness_check(pool_)),
           "the health check postgres is new");
    host.add_outermost(
        "admin", [this] { return std::make_unique<admin::Server>(options_.admin, context_); });
    otlp::add_exporter(host, context_, [this] { return live_.get()->tracing; });
    host.add("ticker",
             [this] { return std::make_unique<TickLoop>(options_.ticker, ticks_, context_); });
    host.add("schedules", [this] { return std::make_unique<Upkeep>(live_, store_, context_); });
    host.add("grpc", [this] {
        auto server = std::make_unique<rpc::Server>(options_.grpc, context_);
        server->add(std::make_unique<ScheduleApi>(server->executor(), queries_, context_.clock));
        return server;
    });
}

}  // namespace gantry::scheduler
