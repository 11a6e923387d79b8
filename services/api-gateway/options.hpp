#pragma once

#include "gantry/admin/server.hpp"
#include "gantry/base/units.hpp"
#include "gantry/config/binder.hpp"
#include "gantry/otlp/options.hpp"
#include "gantry/rpc/server.hpp"

#include <chrono>
#include <string>

namespace gantry::gateway {

/// Settings of the HTTP front, bound under `http.`.
struct HttpOptions {
    std::string listen = "0.0.0.0:8080";
    int threads = 1;
    int max_connections = 1'024;
    int max_in_flight = 512;
    ByteSize max_header_size{16 * 1024};
    ByteSize max_body_size{2 * 1024 * 1024};
    std::chrono::milliseconds header_timeout{10'000};
    std::chrono::milliseconds body_timeout{30'000};
    std::chrono::milliseconds write_timeout{30'000};
    std::chrono::milliseconds idle_timeout{75'000};
    std::chrono::milliseconds call_timeout{30'000};
    void bind(config::Binder& binder);
};

/// Where the services are, bound under `backends.`.
struct BackendOptions {
    std::string queue_worker = "queue-worker:9090";
    std::string outbox_relay = "outbox-relay:9090";
    std::string scheduler = "scheduler:9090";
    std::string mllp_listener = "mllp-listener:9090";
    std::chrono::milliseconds probe_interval{2'000};
    void bind(config::Binder& binder);
};

/// All settings of api-gateway.
struct Options {
    admin::Options admin;
    HttpOptions http;
    rpc::ServerOptions grpc;
    BackendOptions backends;
    otlp::Options tracing;
    void bind(config::Binder& binder);
};

}  // namespace gantry::gateway
