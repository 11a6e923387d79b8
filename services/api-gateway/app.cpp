#include "app.hpp"

#include "backend_monitor.hpp"
#include "http_server.hpp"
#include "public_api.hpp"

#include "gantry/admin/server.hpp"
#include "gantry/otlp/exporter.hpp"
#include "gantry/rpc/server.hpp"

#include <google/protobuf/descriptor.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace gantry::gateway {
namespace {

RestApi make_api() {
    std::vector<const google::protobuf::ServiceDescriptor*> services;
    for (const PublicService& service : public_services()) {
        services.push_back(service.descriptor);
    }
    auto api = RestApi::create(services);
    if (!api) {
        throw std::runtime_error(api.error().message);
    }
    return std::move(*api);
}

}  // namespace

App::App(const config::Live<Options>& live, hosting::Context& context)
    : live_(live),
      options_(*live.get()),
      context_(context),
      api_(make_api()),
      backends_(options_.backends),
      front_(api_, backends_, context.metrics,
             {options_.http.max_in_flight, options_.http.call_timeout}),
      proxy_(backends_, options_.http.call_timeout) {}

void App::compose(hosting::HostBuilder& host) {
    host.add_outermost(
        "admin", [this] { return std::make_unique<admin::Server>(options_.admin, context_); });
    otlp::add_exporter(host, context_, [this] { return live_.get()->tracing; });
    host.add("backend-monitor", [this] {
        return std::make_unique<BackendMonitor>(
            context_, backends_, [this] { return live_.get()->backends.probe_interval; });
    });
    host.add("grpc", [this] {
        std::vector<std::string> names;
        for (const PublicService& service : public_services()) {
            names.push_back(service.descriptor->full_name());
        }
        auto server = std::make_unique<rpc::Server>(options_.grpc, context_);
        server->fallback(proxy_, std::move(names));
        return server;
    });
    host.add("http",
             [this] { return std::make_unique<HttpServer>(options_.http, front_, context_); });
}

}  // namespace gantry::gateway
