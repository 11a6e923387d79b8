#pragma once

#include "desk.hpp"
#include "gantry/hosting/background_service.hpp"

#include <memory>
#include <stop_token>
#include <string>

namespace gantry::relay {

/// The relay's loop: stands by until the lease is free, then leads and reads the outbox the way
/// gantry.setting says, until it is stopped or fenced. Every fault is waited out with backoff; none
/// ends the process.
class Relay final : public hosting::BackgroundService {
public:
    Relay(std::string name, hosting::Context& context, const Options& options,
          TopicDirectory& topics, Stats& stats);
    ~Relay() override { join(); }

protected:
    Result<void> execute(std::stop_token stop) override;

private:
    /// One connection's life: standing by and leading over it.
    Result<void> serve(const std::stop_token& stop);
    Result<void> stand_by(Store& store, const std::stop_token& stop);
    Result<void> lead(Store& store, std::int64_t epoch, const std::stop_token& stop);
    Result<Ended> read(Desk& desk, const std::stop_token& stop);
    /// Waits after a fault of reading, keeping the lease meanwhile.
    Result<void> wait_out(Desk& desk, milliseconds delay, const std::stop_token& stop);
    void show_fault(const Error& error);
    void show(health::Status status, std::string detail);

    const Options& options_;
    TopicDirectory& topics_;
    Stats& stats_;
    health::Reporter& readiness_;
    std::string owner_;
    WakeFd bell_;
};

}  // namespace gantry::relay
