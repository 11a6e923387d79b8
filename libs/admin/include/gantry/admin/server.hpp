#pragma once

#include "gantry/config/binder.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/hosted_service.hpp"

#include <memory>
#include <string>

namespace gantry::admin {

/// Settings of the admin port, bound under `admin.`.
struct Options {
    std::string listen = "0.0.0.0:8081";  ///< `host:port`; port 0 picks a free one and logs it.
    void bind(config::Binder& binder);
};

/// The HTTP port for probes and operators: `/livez /readyz /startupz /health /metrics /version`.
///
/// Its own thread answers while everything else is stuck. Register it with `add_outermost`, so that
/// it starts first and stops last.
class Server final : public hosting::HostedService {
public:
    Server(Options options, hosting::Context& context);
    ~Server() override;

    Result<void> start(std::stop_token aborted) override;
    Result<void> stop(Deadline limit) override;

    /// The bound address as `ip:port`, once started.
    [[nodiscard]] std::string address() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::admin
