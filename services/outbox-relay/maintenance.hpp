#pragma once

#include "gantry/config/live.hpp"
#include "gantry/hosting/polling_worker.hpp"
#include "gantry/postgres/pool.hpp"
#include "options.hpp"

#include <string>

namespace gantry::relay {

/// Makes partitions ahead and drops the ledger's published days, now and then. The database lets
/// only one session at a time do it, so every replica may try.
class Maintenance final : public hosting::PollingWorker {
public:
    Maintenance(std::string name, hosting::Context& context,
                const config::Live<relay::Options>& live, postgres::Pool& pool);
    ~Maintenance() override { join(); }

protected:
    Result<Next> run_once(std::stop_token stop) override;

private:
    const config::Live<relay::Options>& live_;
    postgres::Pool& pool_;
    metrics::Gauge& in_default_;
    metrics::Counter& dropped_;
};

}  // namespace gantry::relay
