#include "app.hpp"

#include "gantry/admin/server.hpp"
#include "gantry/base/ensure.hpp"
#include "gantry/postgres/schema.hpp"
#include "gantry/rpc/server.hpp"
#include "schedule_api.hpp"
#include "tick_loop.hpp"
#include "upkeep.hpp"

#include <memory>

namespace gantry::scheduler {

App::App(const Options& options, hosting::Context& context)
    : options_(options),
      context_(context),
      tick_pool_(tick_session(options.postgres), context.metrics),
      pool_(options.postgres, context.metrics),
      ticks_(tick_pool_),
      store_(pool_),
      queries_(pool_) {}

void App::compose(hosting::HostBuilder& host) {
    // The name is used once: a second registration would be a broken invariant of this function.
    ENSURE(context_.health.add(postgres::readiness_check(pool_)),
           "the health check postgres is new");
    host.add("admin", [this] { return std::make_unique<admin::Server>(options_.admin, context_); });
    host.add("ticker",
             [this] { return std::make_unique<TickLoop>(options_.ticker, ticks_, context_); });
    host.add("schedules", [this] { return std::make_unique<Upkeep>(options_, store_, context_); });
    host.add("grpc", [this] {
        auto server = std::make_unique<rpc::Server>(options_.grpc, context_);
        server->add(std::make_unique<ScheduleApi>(server->executor(), queries_, context_.clock));
        return server;
    });
}

}  // namespace gantry::scheduler
