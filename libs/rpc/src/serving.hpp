#pragma once

#include "gantry/hosting/context.hpp"

#include <grpcpp/health_check_service_interface.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace gantry::rpc {

/// Tells gRPC's health service what the process is able to do: SERVING exactly while it is started,
/// ready and not stopping. Thread-safe.
class Serving : public std::enable_shared_from_this<Serving> {
public:
    /// Follows `context` on behalf of `health`, until `detach`.
    static std::shared_ptr<Serving> follow(hosting::Context& context,
                                           grpc::HealthCheckServiceInterface& health,
                                           std::vector<std::string> services);

    /// NOT_SERVING from now on, and `health` is not touched any more.
    void detach();

private:
    Serving(hosting::Context& context, grpc::HealthCheckServiceInterface& health,
            std::vector<std::string> services);
    void update();

    hosting::Context& context_;
    // Guarded by mutex_.
    std::mutex mutex_;
    grpc::HealthCheckServiceInterface* health_;
    std::vector<std::string> services_;
};

}  // namespace gantry::rpc
