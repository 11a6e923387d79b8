#include "gantry/rpc/channel.hpp"

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>

namespace gantry::rpc {
namespace {

int milliseconds_of(std::chrono::milliseconds duration) {
    return static_cast<int>(std::min<std::int64_t>(duration.count(), INT32_MAX));
}

// gRPC's service config (https://github.com/grpc/grpc/blob/master/doc/service_config.md).
std::string retry_config(const std::vector<std::string>& methods) {
    std::string names;
    for (const std::string& method : methods) {
        const auto slash = method.find('/');
        names += names.empty() ? "" : ",";
        names += R"({"service":")" + method.substr(0, slash) + R"(","method":")" +
                 method.substr(slash + 1) + R"("})";
    }
    return R"({"methodConfig":[{"name":[)" + names +
           R"(],"retryPolicy":{"maxAttempts":3,"initialBackoff":"0.05s","maxBackoff":"0.5s",)"
           R"("backoffMultiplier":2,"retryableStatusCodes":["UNAVAILABLE"]}}]})";
}

}  // namespace

std::string resolvable(std::string_view target) {
    for (const std::string_view scheme : {"dns:", "ipv4:", "ipv6:", "unix:", "xds:"}) {
        if (target.starts_with(scheme)) {
            return std::string(target);
        }
    }
    return "dns:///" + std::string(target);
}

std::shared_ptr<grpc::Channel> make_channel(const std::string& target,
                                            const ChannelOptions& options) {
    grpc::ChannelArguments arguments;
    arguments.SetLoadBalancingPolicyName("round_robin");
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, milliseconds_of(options.connect_timeout));
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, milliseconds_of(options.min_backoff));
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, milliseconds_of(options.max_backoff));
    arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds_of(options.keepalive_time));
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds_of(options.keepalive_timeout));
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    arguments.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_size.bytes));
    // Channels of one process do not share connections through gRPC's global pool, so that closing
    // one never touches another.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    if (!options.retryable_methods.empty()) {
        arguments.SetServiceConfigJSON(retry_config(options.retryable_methods));
    }
    return grpc::CreateCustomChannel(resolvable(target), grpc::InsecureChannelCredentials(),
                                     arguments);
}

}  // namespace gantry::rpc
