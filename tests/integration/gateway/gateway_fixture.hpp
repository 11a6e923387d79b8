#pragma once

#include "fake_backend.hpp"
#include "http_client.hpp"

#include "backend_monitor.hpp"
#include "backends.hpp"
#include "front.hpp"
#include "grpc_proxy.hpp"
#include "http_server.hpp"
#include "options.hpp"
#include "public_api.hpp"
#include "rest_api.hpp"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gantry::testing {

/// api-gateway's parts in this process, on free ports.
class Gateway {
public:
    explicit Gateway(gateway::Options options)
        : options_(loopback(std::move(options))),
          process_("api-gateway"),
          api_(make_api()),
          backends_(options_.backends),
          front_(api_, backends_, process_.metrics,
                 {options_.http.max_in_flight, options_.http.call_timeout}),
          proxy_(backends_, options_.http.call_timeout),
          monitor_(process_.context, backends_, options_.backends.probe_interval),
          grpc_(options_.grpc, process_.context),
          http_(options_.http, front_, process_.context) {
        grpc_.fallback(proxy_, {"gantry.jobs.v1.JobService", "gantry.orders.v1.OrderService"});
        EXPECT_TRUE(monitor_.start({}));
        EXPECT_TRUE(grpc_.start({}));
        EXPECT_TRUE(http_.start({}));
        process_.started();
    }

    ~Gateway() {
        stop_http();
        EXPECT_TRUE(grpc_.stop(Deadline::after(std::chrono::seconds(5))));
        EXPECT_TRUE(monitor_.stop(Deadline::after(std::chrono::seconds(5))));
    }

    Result<void> stop_http(milliseconds limit = std::chrono::seconds(5)) {
        return http_.stop(Deadline::after(limit));
    }

    [[nodiscard]] std::string http() const { return http_.address(); }
    [[nodiscard]] std::string grpc() const { return grpc_.address(); }
    Process& process() { return process_; }

    /// One request on a connection of its own.
    [[nodiscard]] Answer ask(std::string_view method, std::string_view target,
                             std::string_view body = {}, std::string_view fields = {}) const {
        RawClient client(http());
        client.send(request(method, target, body, fields));
        return client.read(method == "HEAD");
    }

private:
    static gateway::Options loopback(gateway::Options options) {
        options.http.listen = "127.0.0.1:0";
        options.grpc.listen = "127.0.0.1:0";
        options.backends.probe_interval = std::chrono::milliseconds(200);
        return options;
    }
    static gateway::RestApi make_api() {
        std::vector<const google::protobuf::ServiceDescriptor*> services;
        for (const auto& service : gateway::public_services()) {
            services.push_back(service.descriptor);
        }
        return std::move(*gateway::RestApi::create(services));
    }

    gateway::Options options_;
    Process process_;
    gateway::RestApi api_;
    gateway::Backends backends_;
    gateway::Front front_;
    gateway::GrpcProxy proxy_;
    gateway::BackendMonitor monitor_;
    rpc::Server grpc_;
    gateway::HttpServer http_;
};

/// A gateway in front of one fake queue-worker; the other services are away.
class GatewayTest : public ::testing::Test {
protected:
    /// Settings for the gateway that `start` makes.
    gateway::Options options() {
        gateway::Options made;
        made.backends.queue_worker = backend->address();
        // Port 1 of loopback refuses at once.
        made.backends.outbox_relay = "127.0.0.1:1";
        made.backends.scheduler = "127.0.0.1:1";
        made.backends.mllp_listener = "127.0.0.1:1";
        return made;
    }
    void start(const gateway::Options& settings) { gateway.emplace(settings); }
    void start() { start(options()); }

    Script script;
    std::optional<FakeBackend> backend{std::in_place, script};
    std::optional<Gateway> gateway;
};

}  // namespace gantry::testing
