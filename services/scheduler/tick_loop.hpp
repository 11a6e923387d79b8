#pragma once

#include "gantry/hosting/background_service.hpp"
#include "ticker.hpp"

namespace gantry::scheduler {

/// Runs a ticker for the life of the process, through outages of the database. Its health is
/// `ticker`.
class TickLoop final : public hosting::BackgroundService {
public:
    /// `store` must outlive the loop.
    TickLoop(TickerOptions options, Store& store, hosting::Context& context);
    ~TickLoop() override;

protected:
    Result<void> execute(std::stop_token stop) override;

private:
    Ticker ticker_;
    health::Reporter& health_;
};

}  // namespace gantry::scheduler
