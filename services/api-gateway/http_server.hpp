#pragma once

#include "front.hpp"
#include "options.hpp"

#include "gantry/hosting/context.hpp"
#include "gantry/hosting/hosted_service.hpp"

#include <memory>
#include <string>

namespace gantry::gateway {

/// The REST port. HTTP/1.1 with keep-alive over a few I/O threads that never block.
class HttpServer final : public hosting::HostedService {
public:
    /// `front` must outlive it.
    HttpServer(HttpOptions options, Front& front, hosting::Context& context);
    ~HttpServer() override;

    /// Binds and listens. `unavailable` with the address if it cannot be bound.
    Result<void> start(std::stop_token aborted) override;

    /// Accepts no more, closes idle connections, lets requests under way be answered; past `limit`
    /// cancels them.
    Result<void> stop(Deadline limit) override;

    /// The bound address as `ip:port`, once started.
    [[nodiscard]] std::string address() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::gateway
