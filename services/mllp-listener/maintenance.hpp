#pragma once

#include "gantry/hosting/polling_worker.hpp"
#include "gantry/postgres/pool.hpp"
#include "options.hpp"

#include <functional>
#include <utility>

namespace gantry::mllp {

/// Makes partitions of messages and quarantine ahead, drops old ones, and forgets duplicates' keys
/// after their window. Safe to run in every replica.
class Maintenance final : public hosting::PollingWorker {
public:
    /// `options_now` gives the options as they are now.
    Maintenance(std::function<mllp::Options()> options_now, hosting::Context& context,
                postgres::Pool& pool)
        : PollingWorker("hl7-maintenance", context,
                        {.interval = [options_now] { return options_now().maintenance_interval; }}),
          options_now_(std::move(options_now)),
          pool_(&pool) {}
    ~Maintenance() override { join(); }

protected:
    Result<Next> run_once(std::stop_token stop) override;

private:
    std::function<mllp::Options()> options_now_;
    postgres::Pool* pool_;
};

}  // namespace gantry::mllp
