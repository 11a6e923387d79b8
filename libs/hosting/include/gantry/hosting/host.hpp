#pragma once

#include "gantry/base/backoff.hpp"
#include "gantry/config/loader.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/hosted_service.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
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

/// Something the host does once while it starts. An error is a failed start. `aborted` fires when
/// the host gives up starting.
using StartHook = std::function<Result<void>(std::stop_token aborted)>;

/// Collects a process's services by name. Registration order is start order; stop order is its
/// reverse, so register stores first, then workers, and what lets work in (listeners) last.
///
/// Every service, group and hook has a name of its own; `Host::create` refuses duplicates and empty
/// names, all of them listed.
class HostBuilder {
public:
    /// Services that start and stop at the same time, each on a thread of its own: the group takes
    /// as long as its slowest member. A member that fails to start aborts the others.
    class Group {
    public:
        Group& add(std::string name, ServiceFactory factory, FaultPolicy policy = {});

    private:
        friend class HostBuilder;
        Group(HostBuilder& builder, std::string name) : builder_(builder), name_(std::move(name)) {}
        HostBuilder& builder_;
        std::string name_;
    };

    HostBuilder& add(std::string name, ServiceFactory factory, FaultPolicy policy = {});

    /// Adds a group at this place of the order; `fill` names its members and is called at once.
    HostBuilder& group(std::string name, const std::function<void(Group&)>& fill);

    /// Adds a service that starts before all others, wherever it is registered, and stops after
    /// everything else and after the callbacks of `Phase::stopped`: the admin port.
    HostBuilder& add_outermost(std::string name, ServiceFactory factory, FaultPolicy policy = {});

    /// Runs `hook` before the first service starts.
    HostBuilder& on_starting(std::string name, StartHook hook);
    /// Runs `hook` after the last service has started and before `Phase::started`.
    HostBuilder& on_started(std::string name, StartHook hook);

    enum class Place { ordered, outermost };
    struct Registration {
        std::string name;
        ServiceFactory factory;
        FaultPolicy policy;
        std::string group = {};  ///< Empty for a service on its own.
        Place place = Place::ordered;
    };

private:
    friend class Host;
    /// Names that are empty or used twice, quoted and joined.
    [[nodiscard]] std::string offending_names() const;

    struct NamedHook {
        std::string name;
        StartHook run;
    };
    std::vector<Registration> registrations_;
    std::vector<std::string> groups_;
    std::vector<NamedHook> starting_hooks_;
    std::vector<NamedHook> started_hooks_;
};

/// An error and the service (or hook) that it came from.
struct ServiceError {
    std::string service;
    Error error;
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

    /// Runs the whole life and returns the exit code. Call once. `cancelled` asks for a stop like
    /// `Lifetime::stop`. Past the total stop timeout it names the culprit on standard error and
    /// hard-exits with 124 through `hard_exit` (tests replace it).
    int run(std::stop_token cancelled = {});

    /// How the life went, once `run` has returned. The faults of loops are in `Lifetime::faults`.
    struct Report {
        /// The first error of the start; its message ends with the errors of the rollback.
        std::optional<ServiceError> start_failure;
        /// Every error of the stop, or of the rollback, in the order in which it came.
        std::vector<ServiceError> stop_failures;
        /// What the host was doing when its time was up; empty if it never was.
        std::string culprit;
    };
    [[nodiscard]] const Report& report() const;

    /// Replaces `std::_Exit` for tests.
    void set_hard_exit(std::function<void(int)> hard_exit);

private:
    class Impl;
    explicit Host(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::hosting
