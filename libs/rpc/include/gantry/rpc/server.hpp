#pragma once

#include "gantry/base/units.hpp"
#include "gantry/config/binder.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/hosted_service.hpp"
#include "gantry/rpc/executor.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace grpc {
class CallbackGenericService;
class Service;
}  // namespace grpc

namespace gantry::rpc {

/// Settings of a gRPC server, bound under `grpc.`.
struct ServerOptions {
    std::string listen = "0.0.0.0:9090";  ///< `host:port`; port 0 picks a free one and logs it.
    ByteSize max_message_size{4 * 1024 * 1024};        ///< Of a request; a larger one is refused.
    ByteSize max_metadata_size{16 * 1024};             ///< Of all request headers together.
    int max_concurrent_streams = 256;                  ///< Calls at a time per connection.
    std::chrono::milliseconds keepalive_time{30'000};  ///< Idle time before a ping.
    std::chrono::milliseconds keepalive_timeout{
        10'000};  ///< Silence after it that ends the connection.
    /// Clients reconnect after this, so that new replicas get traffic.
    std::chrono::milliseconds max_connection_age{300'000};
    std::chrono::milliseconds max_connection_age_grace{30'000};  ///< For calls still running then.
    int handler_threads = 8;  ///< Threads that run unary handlers (`rpc::unary`).
    int handler_queue = 256;  ///< Calls that wait for one; more are answered UNAVAILABLE.
    void bind(config::Binder& binder);
};

/// A gRPC server in a host: health (grpc.health.v1), reflection, limits, metrics, bounded stop.
///
/// Health is SERVING while the process is started and ready, and NOT_SERVING from the moment the
/// process begins to stop. Stopping lets running calls finish, cancels those that do not, and never
/// waits past its limit. Add services before `start`; not thread-safe until then.
///
/// ```
/// host.add("grpc", [this] {
///     auto server = std::make_unique<rpc::Server>(options.grpc, context);
///     server->add(std::make_unique<JobApi>(server->executor(), store));
///     return server;
/// });
/// ```
class Server final : public hosting::HostedService {
public:
    Server(ServerOptions options, hosting::Context& context);
    ~Server() override;

    /// The threads for this server's handlers. Lives as long as the server.
    Executor& executor();

    /// Serves `service`, which the server owns from now on.
    Server& add(std::unique_ptr<grpc::Service> service);

    /// Serves `service`, which must outlive the server.
    Server& add(grpc::Service& service);

    /// Gets every call of a method that no service has; must outlive the server. `public_services`
    /// are their full names, which reflection and health shall show.
    Server& fallback(grpc::CallbackGenericService& service,
                     std::vector<std::string> public_services);

    /// Binds and serves. `unavailable` with the address if it cannot be bound.
    Result<void> start(std::stop_token aborted) override;

    /// Stops taking calls, waits for those inside, and for their handlers. Past `limit` the error
    /// names what did not end, and that is left running, for the process is about to exit.
    Result<void> stop(Deadline limit) override;

    /// The bound address as `ip:port`, once started.
    [[nodiscard]] std::string address() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::rpc
