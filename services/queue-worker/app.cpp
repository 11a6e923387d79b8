#include "app.hpp"

#include "builtin_handlers.hpp"
#include "dispatcher.hpp"
#include "gantry/admin/server.hpp"
#include "gantry/base/ensure.hpp"
#include "gantry/jobs/promoter.hpp"
#include "gantry/jobs/rescuer.hpp"
#include "gantry/kafka/health.hpp"
#include "gantry/orders/handlers.hpp"
#include "gantry/orders/sync_worker.hpp"
#include "gantry/otlp/exporter.hpp"
#include "gantry/postgres/schema.hpp"
#include "gantry/rpc/server.hpp"
#include "job_api.hpp"
#include "lease_keeper.hpp"
#include "maintenance.hpp"
#include "order_api.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace gantry::worker {
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

/// Completer, leases, dispatcher and promoter never wait for a connection, nor long for an answer.
postgres::Options for_control(postgres::Options options) {
    constexpr milliseconds kStatement{8'000};
    constexpr milliseconds kConnect{3'000};
    options.pool_size = 4;
    options.statement_timeout = std::min(options.statement_timeout, kStatement);
    options.connect_timeout = std::min(options.connect_timeout, kConnect);
    return options;
}

/// Who holds leases and partitions: unique for each life of the process.
std::string owner_name() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return std::string(host.data()) + ":" + std::to_string(::getpid()) + "/" +
           Uuid::v7().to_string();
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
      owner_(owner_name()),
      pool_(options_.postgres, context.metrics),
      handler_pool_(options_.postgres, context.metrics),
      control_pool_(for_control(options_.postgres), context.metrics),
      kafka_(make_admin(options_.kafka)),
      http_(http::make_client()),
      enqueuer_(pool_, context.clock, context.metrics),
      jobs_(pool_),
      orders_(pool_, context.clock, options_.kafka.topic("events.orders")),
      order_effects_(handler_pool_, context.clock, options_.kafka.topic("events.orders")),
      metrics_(context.metrics, handlers_),
      work_(static_cast<std::size_t>(options_.worker.channel_capacity), metrics_),
      completions_(control_pool_, owner_, options_.kafka.topic("dead.jobs")),
      completions_with_effects_(handler_pool_, owner_, options_.kafka.topic("dead.jobs")),
      leases_(control_pool_, owner_),
      partitions_(control_pool_, owner_),
      sink_(completions_, leases_),
      runner_(handlers_, completer_, completions_with_effects_, work_, context.clock),
      completer_(sink_, context.clock, context.metrics) {
    add_builtin_handlers(handlers_, context.clock);
    orders::add_handlers(handlers_, order_effects_, handler_pool_,
                         options_.kafka.topic("events.orders"));
}

void App::compose(hosting::HostBuilder& host) {
    ENSURE(context_.health.add(postgres::readiness_check(pool_)),
           "the health check postgres is new");
    ENSURE(context_.health.add(kafka::readiness_check(*kafka_)), "the health check kafka is new");
    host.add_outermost(
        "admin", [this] { return std::make_unique<admin::Server>(options_.admin, context_); });
    otlp::add_exporter(host, context_, [this] { return live_.get()->tracing; });
    host.add("maintenance", [this] {
        return std::make_unique<Maintenance>("maintenance", context_, handler_pool_,
                                             [this] { return live_.get()->worker.maintain_every; });
    });
    host.add("promoter", [this] {
        return std::make_unique<jobs::Promoter>("promoter", context_, control_pool_, [this] {
            return live_.get()->worker.promote_every;
        });
    });
    host.add("rescuer", [this] {
        return std::make_unique<jobs::Rescuer>("rescuer", context_, options_.postgres,
                                               options_.kafka.topic("dead.jobs"),
                                               options_.worker.lease_time);
    });
    if (!options_.sync.url.empty()) {
        host.add("order-sync", [this] {
            return std::make_unique<orders::OrderSyncWorker>("order-sync", context_, handler_pool_,
                                                             *http_,
                                                             [this] { return live_.get()->sync; });
        });
    }
    // Outlives the dispatcher, whose last runs still hold leases.
    host.add("leases", [this] {
        return std::make_unique<LeaseKeeper>("leases", context_, work_, completer_, leases_,
                                             options_.worker.lease_after);
    });
    host.add("dispatcher", [this] {
        return std::make_unique<Dispatcher>(
            "dispatcher", context_,
            Dispatcher::Parts{options_, work_, runner_, completer_, partitions_, control_pool_,
                              options_.kafka.topic("dead.jobs")});
    });
    host.add("grpc", [this] {
        auto server = std::make_unique<rpc::Server>(options_.grpc, context_);
        server->add(std::make_unique<JobApi>(server->executor(), enqueuer_, jobs_));
        server->add(std::make_unique<OrderApi>(server->executor(), orders_));
        return server;
    });
}

}  // namespace gantry::worker
