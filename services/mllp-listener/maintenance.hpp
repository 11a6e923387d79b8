#pragma once

#include "gantry/hosting/polling_worker.hpp"
#include "gantry/postgres/pool.hpp"
#include "options.hpp"

namespace gantry::mllp {

/// Makes partitions of messages and quarantine ahead, drops old ones, and forgets duplicates' keys
/// after their window. Safe to run in every replica.
class Maintenance final : public hosting::PollingWorker {
public:
    Maintenance(const mllp::Options& options, hosting::Context& context, postgres::Pool& pool)
        : PollingWorker("hl7-maintenance", context, {.interval = options.maintenance_interval}),
          options_(&options),
          pool_(&pool) {}
    ~Maintenance() override { join(); }

protected:
    Result<Next> run_once(std::stop_token stop) override;

private:
    const mllp::Options* options_;
    postgres::Pool* pool_;
};

}  // namespace gantry::mllp
