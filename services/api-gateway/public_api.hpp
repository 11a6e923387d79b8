#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class ServiceDescriptor;
}

namespace gantry::gateway {

/// The four services behind the gateway, in the order in which they are shown.
enum class BackendId { queue_worker, outbox_relay, scheduler, mllp_listener };
inline constexpr std::size_t kBackendCount = 4;
inline constexpr std::string_view kBackendNames[kBackendCount] = {"queue-worker", "outbox-relay",
                                                                  "scheduler", "mllp-listener"};

/// A gRPC service that callers may reach, and who serves it.
struct PublicService {
    const google::protobuf::ServiceDescriptor* descriptor;
    BackendId backend;
};

/// Every public service: those of the proto files that belong to the four backends.
std::vector<PublicService> public_services();

}  // namespace gantry::gateway
