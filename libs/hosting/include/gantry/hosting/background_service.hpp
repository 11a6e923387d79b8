#pragma once

#include "gantry/health/heartbeat.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/hosted_service.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

namespace gantry::hosting {

/// A hosted service with one loop on a thread of its own.
///
/// `start` returns once the thread runs, so a blocking body never blocks start-up. Its stop token
/// fires when its turn comes in the stop order. What `execute` returns or throws goes to the host,
/// which acts by the service's `FaultPolicy`; an error of code `cancelled` after a stop request is
/// no fault. A class that derives from it must call `join()` in its destructor if the loop uses its
/// own members.
class BackgroundService : public HostedService {
public:
    BackgroundService(std::string name, Context& context);
    ~BackgroundService() override;

    Result<void> start(std::stop_token aborted) final;
    Result<void> stop(Deadline limit) override;
    void on_end(EndCallback callback) final { on_end_ = std::move(callback); }

protected:
    /// The loop. Returns when `stop` fires. Calls `beat()` at least every few seconds, also when
    /// idle.
    virtual Result<void> execute(std::stop_token stop) = 0;

    /// Tells the watchdog that the loop lives.
    void beat() { heartbeat_->beat(); }

    /// For a `Scope` whose handler takes long.
    [[nodiscard]] const std::shared_ptr<health::Heartbeat>& heartbeat() const { return heartbeat_; }

    /// Shows a state in this service's health check `service:<name>`. No secrets, no personal data.
    void report(health::Status status, std::string detail) {
        reporter_.report(status, std::move(detail));
    }

    /// Requests a stop and waits for the loop's end. Idempotent.
    void join();

    Context& context() { return context_; }
    [[nodiscard]] const std::string& name() const { return name_; }

private:
    void run(const std::stop_token& stop);
    void finish(Result<void> outcome);

    // Constant after construction and `on_end`.
    std::string name_;
    Context& context_;
    std::shared_ptr<health::Heartbeat> heartbeat_;
    health::Reporter& reporter_;
    EndCallback on_end_;
    // Self-synchronised: fires when the loop has ended.
    std::stop_source ended_;
    // Guarded by mutex_.
    std::mutex mutex_;
    bool stop_asked_ = false;
    std::optional<Error> fault_during_stop_;
    // Last: the loop uses the rest.
    std::jthread thread_;
};

}  // namespace gantry::hosting
