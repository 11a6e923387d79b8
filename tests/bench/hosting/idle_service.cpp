// A service with nothing to do: admin port, metrics, gRPC with its health service.

#include "gantry/admin/server.hpp"
#include "gantry/hosting/run.hpp"
#include "gantry/rpc/server.hpp"

#include <memory>

namespace {

using namespace gantry;

struct IdleOptions {
    admin::Options admin;
    rpc::ServerOptions grpc;
    void bind(config::Binder& binder) {
        admin.bind(binder);
        grpc.bind(binder);
    }
};

struct App {
    static constexpr std::string_view kName = "idle-service";
    static constexpr std::string_view kSummary = "A service with nothing to do.";
    using Options = IdleOptions;
    const Options& options;
    hosting::Context& context;
    void compose(hosting::HostBuilder& host) {
        host.add_outermost("admin",
                           [&] { return std::make_unique<admin::Server>(options.admin, context); });
        host.add("grpc", [&] { return std::make_unique<rpc::Server>(options.grpc, context); });
    }
};

}  // namespace

int main(int argc, char** argv) {
    return hosting::run<App>(argc, argv);
}
