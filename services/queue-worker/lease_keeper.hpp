#pragma once

#include "gantry/hosting/background_service.hpp"
#include "gantry/jobs/completer.hpp"
#include "gantry/jobs/leases.hpp"
#include "work.hpp"

#include <memory>

namespace gantry::worker {

/// Asks for a lease for the run, once. After its commit the record's offset is free; when it is
/// refused the job is another's and the handler is told to stop.
void request_lease(Work& work, jobs::Completer& completer, const std::shared_ptr<Run>& run);

/// Watches over the runs: gives long ones a lease and keeps it alive, and tells those past their
/// deadline to stop.
class LeaseKeeper final : public hosting::BackgroundService {
public:
    LeaseKeeper(std::string name, hosting::Context& context, Work& work, jobs::Completer& completer,
                jobs::LeaseStore& leases, milliseconds lease_after)
        : BackgroundService(std::move(name), context),
          work_(work),
          completer_(completer),
          leases_(leases),
          lease_after_(lease_after) {}
    ~LeaseKeeper() override { join(); }

protected:
    Result<void> execute(std::stop_token stop) override;

private:
    void look();
    void beat_leases();

    // Constant after construction.
    Work& work_;
    jobs::Completer& completer_;
    jobs::LeaseStore& leases_;
    milliseconds lease_after_;
    // Used by the loop only.
    SteadyTime next_beat_{};
};

}  // namespace gantry::worker
