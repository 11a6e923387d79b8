#pragma once

#include "gantry/hosting/polling_worker.hpp"
#include "gantry/postgres/pool.hpp"

#include <string>
#include <utility>

namespace gantry::worker {

/// Makes partitions ahead and drops the days whose jobs' retention is over. Every replica may.
class Maintenance final : public hosting::PollingWorker {
public:
    Maintenance(std::string name, hosting::Context& context, postgres::Pool& pool,
                hosting::Interval interval)
        : PollingWorker(std::move(name), context, {.interval = std::move(interval)}), pool_(pool) {}
    ~Maintenance() override { join(); }

protected:
    Result<Next> run_once(std::stop_token stop) override;

private:
    postgres::Pool& pool_;
};

}  // namespace gantry::worker
