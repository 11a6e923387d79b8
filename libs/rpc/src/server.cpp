#include "gantry/rpc/server.hpp"

#include "call_metrics.hpp"
#include "reflection.hpp"
#include "serving.hpp"

#include "gantry/logging/log.hpp"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <grpc/support/log.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

namespace gantry::rpc {
namespace {

// gRPC tells which services were registered only to plugins.
class NamesPlugin final : public grpc::ServerBuilderPlugin {
public:
    explicit NamesPlugin(std::vector<std::string>& names) : names_(&names) {}
    std::string name() override { return "gantry.names"; }
    void InitServer(grpc::ServerInitializer*) override {}
    void Finish(grpc::ServerInitializer* initializer) override {
        *names_ = *initializer->GetServiceList();
    }
    void ChangeArguments(const std::string&, void*) override {}

private:
    std::vector<std::string>* names_;
};

class NamesOption final : public grpc::ServerBuilderOption {
public:
    explicit NamesOption(std::vector<std::string>& names) : names_(&names) {}
    void UpdateArguments(grpc::ChannelArguments*) override {}
    void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
        plugins->push_back(std::make_unique<NamesPlugin>(*names_));
    }

private:
    std::vector<std::string>* names_;
};

std::string with_port(const std::string& listen, int port) {
    return listen.substr(0, listen.rfind(':') + 1) + std::to_string(port);
}

int clamped(std::int64_t value) {
    return static_cast<int>(std::min<std::int64_t>(value, INT32_MAX));
}

// gRPC writes its own faults as text to standard error; they belong among our lines.
void adopt_logs() {
    gpr_set_log_function([](gpr_log_func_args* line) {
        if (line->severity == GPR_LOG_SEVERITY_ERROR) {
            logging::warning("gRPC", {{"detail", line->message}});
        }
    });
}

// Time kept back from a stop's limit to cancel calls after their grace and to report.
constexpr std::chrono::milliseconds kCancelMargin{1'000};

}  // namespace

void ServerOptions::bind(config::Binder& binder) {
    binder.add("grpc.listen", listen, "host:port of the gRPC server; port 0 picks a free one")
        .required()
        .listen_address();
    binder.add("grpc.max_message_size", max_message_size, "largest request that is accepted")
        .range(1024, 64 * 1024 * 1024);
    binder.add("grpc.max_metadata_size", max_metadata_size, "all request headers together")
        .range(1024, 1024 * 1024);
    binder.add("grpc.max_concurrent_streams", max_concurrent_streams, "calls per connection")
        .range(1, 100'000);
    binder.add("grpc.keepalive_time", keepalive_time, "idle time before a ping")
        .range(1'000, 7'200'000);
    binder.add("grpc.keepalive_timeout", keepalive_timeout, "wait for a ping's answer")
        .range(100, 600'000);
    binder
        .add("grpc.max_connection_age", max_connection_age,
             "clients are asked to reconnect after this, so that new replicas get traffic")
        .range(1'000, 86'400'000);
    binder
        .add("grpc.max_connection_age_grace", max_connection_age_grace,
             "how long calls may still run then")
        .range(0, 3'600'000);
    binder.add("grpc.handler_threads", handler_threads, "threads that run calls").range(1, 1024);
    binder
        .add("grpc.handler_queue", handler_queue,
             "calls that wait for a thread; more are refused with UNAVAILABLE")
        .range(1, 1'000'000);
}

class Server::Impl {
public:
    Impl(ServerOptions options, hosting::Context& context)
        : options_(std::move(options)),
          context_(context),
          metrics_(context.metrics),
          executor_(options_.handler_threads, static_cast<std::size_t>(options_.handler_queue)),
          names_(std::make_shared<ServiceNames>()),
          owned_(make_reflection(names_)) {
        for (const auto& service : owned_) {
            services_.push_back(service.get());
        }
        context.metrics.on_scrape(
            [&gauge = context.metrics.gauge("gantry_grpc_handlers_waiting",
                                            "Calls that wait for a handler thread."),
             weak = std::weak_ptr(alive_), this] {
                if (const auto alive = weak.lock()) {
                    gauge.set(static_cast<double>(executor_.waiting()));
                }
            });
    }

    void add(std::unique_ptr<grpc::Service> service) {
        services_.push_back(service.get());
        owned_.push_back(std::move(service));
    }
    void add(grpc::Service& service) { services_.push_back(&service); }
    void fallback(grpc::CallbackGenericService& service, std::vector<std::string> names) {
        fallback_ = &service;
        public_names_ = std::move(names);
    }

    Executor& executor() { return executor_; }
    std::string address() const { return with_port(options_.listen, port_); }

    Result<void> start();
    Result<void> stop(Deadline limit);

    /// False while gRPC's shutdown still waits for a call: then nothing of this may be destroyed.
    bool ended() const {
        const std::lock_guard lock(mutex_);
        return !shutdown_.joinable() || (shut_down_ && executor_ended_);
    }

private:
    void configure(grpc::ServerBuilder& builder);
    bool await_shutdown(Deadline limit);

    // Constant after construction or `start`.
    const ServerOptions options_;
    hosting::Context& context_;
    CallMetrics metrics_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
    Executor executor_;
    std::shared_ptr<ServiceNames> names_;
    std::vector<std::unique_ptr<grpc::Service>> owned_;
    std::vector<grpc::Service*> services_;
    grpc::CallbackGenericService* fallback_ = nullptr;
    std::vector<std::string> public_names_;
    int port_ = 0;
    std::unique_ptr<grpc::Server> server_;
    std::shared_ptr<Serving> serving_;
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::condition_variable shut_down_signal_;
    bool shut_down_ = false;
    bool executor_ended_ = false;
    std::jthread shutdown_;
};

void Server::Impl::configure(grpc::ServerBuilder& builder) {
    builder.SetMaxReceiveMessageSize(
        clamped(static_cast<std::int64_t>(options_.max_message_size.bytes)));
    const auto set = [&](const char* name, std::int64_t value) {
        builder.AddChannelArgument(name, clamped(value));
    };
    set(GRPC_ARG_MAX_METADATA_SIZE, static_cast<std::int64_t>(options_.max_metadata_size.bytes));
    set(GRPC_ARG_MAX_CONCURRENT_STREAMS, options_.max_concurrent_streams);
    set(GRPC_ARG_KEEPALIVE_TIME_MS, options_.keepalive_time.count());
    set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, options_.keepalive_timeout.count());
    // Pings as often as our own clients send them are welcome; gRPC would hang up on them.
    set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
    set(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    set(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    set(GRPC_ARG_MAX_CONNECTION_AGE_MS, options_.max_connection_age.count());
    set(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, options_.max_connection_age_grace.count());
    // Without this two processes could share a port by mistake.
    set(GRPC_ARG_ALLOW_REUSEPORT, 0);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
    creators.push_back(std::make_unique<CallMetricsFactory>(metrics_));
    builder.experimental().SetInterceptorCreators(std::move(creators));
}

Result<void> Server::Impl::start() {
    adopt_logs();
    grpc::EnableDefaultHealthCheckService(true);
    std::vector<std::string> registered;
    grpc::ServerBuilder builder;
    configure(builder);
    builder.SetOption(std::make_unique<NamesOption>(registered));
    builder.AddListeningPort(options_.listen, grpc::InsecureServerCredentials(), &port_);
    for (grpc::Service* service : services_) {
        builder.RegisterService(service);
    }
    if (fallback_ != nullptr) {
        builder.RegisterCallbackGenericService(fallback_);
    }
    server_ = builder.BuildAndStart();
    if (!server_ || port_ == 0) {
        return fail(Code::unavailable, "cannot listen on " + options_.listen +
                                           ": the address is in use or not of this machine");
    }
    registered.insert(registered.end(), public_names_.begin(), public_names_.end());
    names_->set(registered);
    serving_ = Serving::follow(context_, *server_->GetHealthCheckService(), registered);
    logging::info("listening", {{"server", "grpc"}, {"address", address()}});
    return {};
}

bool Server::Impl::await_shutdown(Deadline limit) {
    std::unique_lock lock(mutex_);
    return shut_down_signal_.wait_for(lock, limit.remaining(), [this] { return shut_down_; });
}

Result<void> Server::Impl::stop(Deadline limit) {
    if (!server_) {
        return {};
    }
    serving_->detach();
    // gRPC waits for ever for a call whose handler never ends it, so its shutdown gets a thread of
    // its own that can be left behind.
    const auto grace = std::max(limit.remaining() - kCancelMargin, limit.remaining() / 2);
    shutdown_ = std::jthread([this, grace] {
        server_->Shutdown(std::chrono::system_clock::now() + grace);
        const std::lock_guard lock(mutex_);
        shut_down_ = true;
        shut_down_signal_.notify_all();
    });
    if (!await_shutdown(limit)) {
        return fail(Code::deadline_exceeded, "the gRPC server did not stop: a call never ended");
    }
    Result<void> handlers = executor_.stop(limit);
    const std::lock_guard lock(mutex_);
    executor_ended_ = handlers.has_value();
    if (!handlers) {
        return std::unexpected(std::move(handlers).error().with_context("gRPC server"));
    }
    return {};
}

Server::Server(ServerOptions options, hosting::Context& context)
    : impl_(std::make_unique<Impl>(std::move(options), context)) {}

Server::~Server() {
    if (impl_ && !impl_->ended()) {
        // A call that never ended still uses the services, and destroying them would crash or hang
        // the exit that comes next anyway.
        [[maybe_unused]] auto* left_behind = impl_.release();
    }
}

Executor& Server::executor() {
    return impl_->executor();
}

Server& Server::add(std::unique_ptr<grpc::Service> service) {
    impl_->add(std::move(service));
    return *this;
}

Server& Server::add(grpc::Service& service) {
    impl_->add(service);
    return *this;
}

Server& Server::fallback(grpc::CallbackGenericService& service,
                         std::vector<std::string> public_services) {
    impl_->fallback(service, std::move(public_services));
    return *this;
}

Result<void> Server::start(std::stop_token) {
    return impl_->start();
}

Result<void> Server::stop(Deadline limit) {
    return impl_->stop(limit);
}

std::string Server::address() const {
    return impl_->address();
}

}  // namespace gantry::rpc
