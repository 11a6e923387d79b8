#pragma once

#include "backends.hpp"
#include "front.hpp"
#include "grpc_proxy.hpp"
#include "options.hpp"
#include "rest_api.hpp"

#include "gantry/config/live.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/host.hpp"

#include <string_view>

namespace gantry::gateway {

/// Everything that api-gateway shares, in dependency order.
class App {
public:
    static constexpr std::string_view kName = "api-gateway";
    static constexpr std::string_view kSummary =
        "One front for HTTP/JSON and gRPC. Holds no state and no database credentials.";
    using Options = gateway::Options;

    /// Throws if the REST mapping of the linked protos cannot work.
    App(const config::Live<Options>& live, hosting::Context& context);

    void compose(hosting::HostBuilder& host);

private:
    const config::Live<Options>& live_;
    Options options_;  // of the start
    hosting::Context& context_;
    RestApi api_;
    Backends backends_;
    Front front_;
    GrpcProxy proxy_;
};

}  // namespace gantry::gateway
