#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace gantry::rpc {

/// The names of the services that reflection shows. Thread-safe.
class ServiceNames {
public:
    void set(std::vector<std::string> names);
    [[nodiscard]] std::vector<std::string> get() const;

private:
    mutable std::mutex mutex_;
    std::vector<std::string> names_;
};

/// The reflection services v1alpha and v1 over the descriptors linked into the process. gRPC's own
/// plugin shows only services that are registered one by one, and a pass-through has none.
std::vector<std::unique_ptr<grpc::Service>> make_reflection(
    std::shared_ptr<const ServiceNames> names);

}  // namespace gantry::rpc
