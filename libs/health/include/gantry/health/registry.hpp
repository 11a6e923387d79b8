#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::health {

enum class Status { healthy, degraded, unhealthy };
std::string_view to_string(Status status);

/// What a check found. `detail` is for operators: no secrets, no personal data.
struct CheckResult {
    Status status = Status::healthy;
    std::string detail;
};

/// One named check. It runs on a thread of the registry, beside the others and never on a probe's
/// thread, `period` after its last run ended.
struct Check {
    std::string name;
    std::function<CheckResult(std::stop_token)> run;
    Status on_failure = Status::unhealthy;  ///< What a throw or a timeout counts as.
    bool readiness = false;                 ///< Unhealthy → `/readyz` 503.
    /// At most twice the period, or a run that is merely slow would make the result look stale.
    std::chrono::milliseconds timeout{2'000};
    std::chrono::milliseconds period{2'000};
    std::vector<std::string> tags = {};  ///< For operators: what it belongs to, shown in /health.
};

/// Why a check's result is a failure of the check itself or of what it looks at.
enum class Failure { none, reported, timeout, exception, stale };
std::string_view to_string(Failure failure);

/// A check's latest result.
struct Snapshot {
    std::string name;
    Status status = Status::unhealthy;
    std::string detail;
    Instant since;                          ///< When it got this status.
    Instant checked;                        ///< When it last ran.
    std::chrono::milliseconds duration{0};  ///< How long that took.
    bool readiness = false;
    std::vector<std::string> tags = {};
    /// The kind of its last failure, kept after it recovered, and when that was.
    Failure last_failure = Failure::none;
    Instant last_failed_at = {};
};

/// The state that a component reports by itself, without polling. Thread-safe.
class Reporter {
public:
    virtual ~Reporter() = default;
    virtual void report(Status status, std::string detail = {}) = 0;
};

/// All checks of the process, cached: asking never runs one. Thread-safe.
class Registry {
public:
    explicit Registry(Clock& clock);
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    /// Registers a polled check. `already_exists` for a name that is taken, `invalid_argument` for
    /// an empty name or a timeout of more than two periods.
    Result<void> add(Check check);

    /// The names that `add` refused because they were taken, each once. The host does not start
    /// while there are any, so that all of them are reported together.
    [[nodiscard]] std::vector<std::string> refused_names() const;

    /// Registers a state that its owner reports. Starts `unhealthy` with detail "starting". Returns
    /// a reporter that lives as long as the registry, the existing one for a name that is taken.
    Reporter& reporter(std::string name, bool readiness);

    /// Starts the poller threads; every check runs at once. Called by the host.
    void start();
    /// Stops the poller. Idempotent.
    void stop();

    /// Every check, by name. One whose last result is older than three periods is unhealthy.
    [[nodiscard]] std::vector<Snapshot> snapshot() const;

    /// The worst status of all checks.
    [[nodiscard]] Status overall() const;

    /// True if every readiness check is healthy or degraded.
    [[nodiscard]] bool ready() const;

    /// Calls `listener` whenever `ready()` changes, on the poller's or a reporter's thread, one
    /// call at a time and in order. A listener must not report a state itself.
    void on_ready_change(std::function<void(bool)> listener);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::health
