#pragma once

#include "gantry/base/units.hpp"
#include "gantry/config/binder.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace grpc {
class Channel;
}

namespace gantry::rpc {

/// How a client reaches a service.
struct ChannelOptions {
    std::chrono::milliseconds connect_timeout{2'000};  ///< Per attempt.
    std::chrono::milliseconds min_backoff{100};        ///< Between attempts; with jitter.
    std::chrono::milliseconds max_backoff{1'000};
    std::chrono::milliseconds keepalive_time{30'000};  ///< Not below the server's.
    std::chrono::milliseconds keepalive_timeout{10'000};
    ByteSize max_message_size{4 * 1024 * 1024};  ///< Of an answer.
    /// Methods that only read (`gantry.jobs.v1.JobService/Get`): tried up to three times when the
    /// connection fails. All others are tried once.
    std::vector<std::string> retryable_methods;
};

/// The target in the form gRPC resolves: `host:port` becomes `dns:///host:port`.
std::string resolvable(std::string_view target);

/// A channel to `target` that spreads calls over all its addresses (round_robin) and reconnects by
/// itself. It connects with the first call. Thread-safe.
std::shared_ptr<grpc::Channel> make_channel(const std::string& target,
                                            const ChannelOptions& options = {});

}  // namespace gantry::rpc
