#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::hosting {

/// Where the process is in its life. Each phase is entered at most once, in this order.
enum class Phase { created, starting, started, stopping, stopped };

/// A hosted service as an operator sees it, beside its health check `service:<name>`.
struct ServiceInfo {
    std::string name;
    int restarts = 0;  ///< Since the process started.
    /// What kind of error was the last one: its reason, or its code's name. Empty if there was
    /// none.
    std::string last_error = {};
    Instant last_error_at = {};
};

/// The kind of an error: its reason, or its code's name. Safe to show anywhere.
std::string error_kind(const Error& error);

/// The process's life as its parts see it: ask it to stop, know that it stops. Thread-safe.
class Lifetime {
public:
    /// Asks the host to stop, for `cause` ("signal SIGTERM", "requested", …). The first cause
    /// counts; later calls do nothing. Returns at once.
    void stop(std::string cause);

    /// Asks the host to stop because the service `name` failed: exit code 70. Every fault is kept.
    void fault(std::string name, Error error);

    [[nodiscard]] Phase phase() const { return phase_.load(); }
    /// Fires when a stop was asked for.
    [[nodiscard]] std::stop_token stopping() const { return stop_.get_token(); }
    [[nodiscard]] std::string cause() const;
    [[nodiscard]] std::vector<std::pair<std::string, Error>> faults() const;

    /// Registers a callback for the entry of `started`, `stopping` or `stopped`; run by the host's
    /// thread in order of registration. Every callback runs though another throws.
    void on(Phase phase, std::function<void()> callback);

    /// For the host only: enters `phase` and runs its callbacks.
    void enter(Phase phase);

    /// The hosted services in start order.
    [[nodiscard]] std::vector<ServiceInfo> services() const;
    /// For the host only: adds a service, or replaces what is known of it.
    void set_service(ServiceInfo service);
    /// For the host only.
    void count_restart(std::string_view name);
    /// Keeps the kind of `error` as the last one of the hosted service `name`.
    void record_error(std::string_view name, const Error& error, Instant at);

private:
    std::atomic<Phase> phase_{Phase::created};
    std::stop_source stop_;
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::string cause_;
    std::vector<std::pair<std::string, Error>> faults_;
    std::vector<std::pair<Phase, std::function<void()>>> callbacks_;
    std::vector<ServiceInfo> services_;
};

}  // namespace gantry::hosting
