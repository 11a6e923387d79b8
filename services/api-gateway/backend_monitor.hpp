#pragma once

#include "backends.hpp"

#include "gantry/health/registry.hpp"
#include "gantry/hosting/background_service.hpp"
#include "gantry/hosting/interval.hpp"

#include <array>
#include <chrono>

namespace gantry::gateway {

/// Asks every backend's health service again and again, and reports what it says.
///
/// The gateway becomes ready when queue-worker is first found, and stays ready: with a backend away
/// it still answers the others' requests, and this one's with a 503 that says so, where an unready
/// gateway would only refuse connections. A backend that is away shows as Degraded.
class BackendMonitor final : public hosting::BackgroundService {
public:
    BackendMonitor(hosting::Context& context, Backends& backends, hosting::Interval interval);
    ~BackendMonitor() override;

protected:
    Result<void> execute(std::stop_token stop) override;

private:
    /// Asks all at once; returns whether every one is serving.
    bool ask_all();

    Backends& backends_;
    const hosting::Interval interval_;
    std::array<health::Reporter*, kBackendCount> reporters_{};
    bool found_queue_worker_ = false;
};

}  // namespace gantry::gateway
