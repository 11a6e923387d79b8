#pragma once

#include "gantry/hosting/polling_worker.hpp"
#include "options.hpp"
#include "store.hpp"

namespace gantry::scheduler {

/// Applies the schedules of the file and the built-in ones once after the start, then makes
/// partitions ahead and drops old ones every interval. Every replica does it; doing it twice
/// changes nothing.
class Upkeep final : public hosting::PollingWorker {
public:
    /// `options` and `store` must outlive the worker.
    Upkeep(const scheduler::Options& options, Store& store, hosting::Context& context);
    ~Upkeep() override;

protected:
    Result<Next> run_once(std::stop_token stop) override;

private:
    const scheduler::Options& options_;
    Store& store_;
    bool applied_ = false;
};

/// Applies what `options` say: the file's schedules if there is a file, then the built-in ones
/// whose names the file does not use. Logs each change.
Result<void> apply_schedules(const Options& options, Store& store, Deadline deadline);

}  // namespace gantry::scheduler
