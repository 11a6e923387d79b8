#pragma once

#include "gantry/hosting/polling_worker.hpp"
#include "gantry/metrics/registry.hpp"
#include "gantry/postgres/pool.hpp"

namespace gantry::jobs {

/// Queues scheduled and retrying jobs whose time has come: up to `limit` due timers, locked with
/// SKIP LOCKED so that replicas share the work, each giving its job a new dispatch and a wake-up.
/// Returns how many timers were due.
Result<std::size_t> promote_due(postgres::Pool& pool, int limit, Deadline deadline);

/// Calls `promote_due` several times a second, on every replica.
class Promoter final : public hosting::PollingWorker {
public:
    static constexpr int kBatch = 1000;

    Promoter(std::string name, hosting::Context& context, postgres::Pool& pool,
             hosting::Interval interval = milliseconds{200});
    ~Promoter() override { join(); }

protected:
    Result<Next> run_once(std::stop_token stop) override;

private:
    postgres::Pool& pool_;
    metrics::Counter& promoted_;
};

}  // namespace gantry::jobs
