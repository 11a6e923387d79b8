#pragma once

#include "gantry/health/heartbeat.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/hosted_service.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace gantry::hosting {

/// A hosted service with one loop on a thread of its own.
///
/// `start` returns once the thread runs, so a blocking body never blocks start-up. Its stop token fires
/// when its turn comes in the stop order. What `execute` returns or throws goes to the host, which acts by
/// the service's `FaultPolicy`; an error of code `cancelled` after a stop request is no fault. A class
/// that derives from it must call `join()` in its destructor if the loop uses its own members.
class BackgroundService : public HostedService {
public:
    BackgroundService(std::string name, Context& context);
    ~BackgroundService() override;

    Result<void> start(std::stop_token aborted) final;
    Result<void> stop(Deadline limit) override;

protected:
    /// The loop. Returns when `stop` fires. Calls `beat()` at least every few seconds, also when idle.
    virtual Result<void> execute(std::stop_token stop) = 0;

    /// Tells the watchdog that the loop lives.
    void beat() { heartbeat_->beat(); }

    /// Requests a stop and waits for the loop's end. Idempotent.
    void join();

    Context& context() { return context_; }
    [[nodiscard]] const std::string& name() const { return name_; }

private:
    // Constant after construction.
    std::string name_;
    Context& context_;
    std::shared_ptr<health::Heartbeat> heartbeat_;
    // Guarded by mutex_.
    std::mutex mutex_;
    std::condition_variable_any ended_signal_;
    bool ended_ = false;
    std::optional<Error> outcome_;
    std::jthread thread_;
};

}  // namespace gantry::hosting
