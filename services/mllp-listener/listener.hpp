#pragma once

#include "committer.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/hosted_service.hpp"
#include "intake.hpp"
#include "listener_metrics.hpp"
#include "options.hpp"

#include <memory>
#include <string>

namespace gantry::mllp {

/// The MLLP port: accepts connections within limits, reads frames, hands them to the committer and
/// sends the answers, all on one I/O thread. It reads no further while the store is away, the
/// committer's queue is full, or too many bytes wait. Stopping finishes the frames being read,
/// answers them and closes.
class Listener final : public hosting::HostedService {
public:
    Listener(const Options& options, hosting::Context& context, Committer& committer,
             const Intake& intake, ListenerMetrics& metrics);
    ~Listener() override;

    /// `unavailable` with the address if it cannot be bound.
    Result<void> start(std::stop_token aborted) override;
    Result<void> stop(Deadline limit) override;

    /// The bound address as `ip:port`, once started.
    [[nodiscard]] std::string address() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::mllp
