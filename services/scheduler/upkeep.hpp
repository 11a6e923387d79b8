#pragma once

#include "gantry/config/live.hpp"
#include "gantry/hosting/polling_worker.hpp"
#include "options.hpp"
#include "store.hpp"

#include <optional>
#include <string>
#include <vector>

namespace gantry::scheduler {

/// Applies the schedules of the file and the built-in ones after the start and whenever the file
/// has changed, makes partitions ahead and drops old ones; all of it every interval. Every replica
/// does it; doing it twice changes nothing. A file that has become faulty is left aside and shows
/// in the health of `schedules`.
class Upkeep final : public hosting::PollingWorker {
public:
    /// `live` and `store` must outlive the worker. A reload makes it look at the file at once.
    Upkeep(const config::Live<scheduler::Options>& live, Store& store, hosting::Context& context);
    ~Upkeep() override;

protected:
    Result<Next> run_once(std::stop_token stop) override;

private:
    const config::Live<scheduler::Options>& live_;
    Store& store_;
    std::optional<std::string> applied_;  // the definitions as JSON
    config::Live<scheduler::Options>::Subscription reloads_;
};

/// Applies a file's schedules, if there is a file, then the built-in ones whose names the file does
/// not use. Logs each change.
Result<void> apply_schedules(Store& store, const std::optional<std::vector<Definition>>& file,
                             Deadline deadline);

}  // namespace gantry::scheduler
