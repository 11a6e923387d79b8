#pragma once

#include "gantry/base/backoff.hpp"
#include "gantry/config/loader.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/hosted_service.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gantry::hosting {

/// What the host does when a background loop ends by itself.
enum class OnEnd { stop_host, restart, ignore };

/// How one service is supervised.
struct FaultPolicy {
    OnEnd on_fault = OnEnd::stop_host;
    OnEnd on_return = OnEnd::stop_host;
    Backoff::Limits backoff{std::chrono::milliseconds{500}, std::chrono::milliseconds{30'000},
                            std::chrono::milliseconds{10}};
    int max_restarts = 5;                      ///< More than this within `window` stops the host.
    std::chrono::milliseconds window{60'000};  ///< Also: healthy this long resets the backoff.
};

/// Settings of the host itself, bound under `host.`.
struct HostOptions {
    std::chrono::milliseconds start_timeout{60'000};         ///< For all services together.
    std::chrono::milliseconds stop_timeout{30'000};          ///< For the whole stop; then exit 124.
    std::chrono::milliseconds service_stop_timeout{10'000};  ///< For each service within it.
    std::chrono::milliseconds drain_delay{0};  ///< Unready and still serving before the stop.
    std::chrono::milliseconds watchdog_limit{
        10'000};  ///< Silence that counts as a miss; ×3 is a stall.
    void bind(config::Binder& binder);
    /// Faults that span fields.
    [[nodiscard]] std::vector<config::Fault> validate() const;
};

using ServiceFactory = std::function<std::unique_ptr<HostedService>()>;

/// Collects a process's services by name. Registration order is start order; stop order is its
/// reverse, so register the admin server first, then stores, workers and what lets work in
/// (listeners) last.
class HostBuilder {
public:
    /// A name is used once; `Host::create` refuses duplicates, all of them listed.
    HostBuilder& add(std::string name, ServiceFactory factory, FaultPolicy policy = {});

    struct Registration {
        std::string name;
        ServiceFactory factory;
        FaultPolicy policy;
    };

private:
    friend class Host;
    std::vector<Registration> registrations_;
};

/// Exit codes of every Gantry process.
enum ExitCode : int {
    kExitClean = 0,
    kExitFault = 70,
    kExitStartFailed = 71,
    kExitBadOptions = 78,
    kExitStopTimedOut = 124,
    kExitSecondInterrupt = 130,
};

/// Starts services in order, waits for a reason to stop, stops them in reverse.
class Host {
public:
    static Result<std::unique_ptr<Host>> create(HostBuilder builder, HostOptions options,
                                                Context& context);
    ~Host();
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    /// Runs the whole life and returns the exit code. Call once. Past the total stop timeout it
    /// names the culprit on standard error and hard-exits with 124 through `hard_exit` (tests
    /// replace it).
    int run();

    /// Replaces `std::_Exit` for tests.
    void set_hard_exit(std::function<void(int)> hard_exit);

private:
    class Impl;
    explicit Host(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::hosting
