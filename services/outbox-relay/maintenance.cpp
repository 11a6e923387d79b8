#include "maintenance.hpp"

#include "gantry/logging/log.hpp"

namespace gantry::relay {
namespace {

constexpr milliseconds kLimit{30'000};

}  // namespace

Maintenance::Maintenance(std::string name, hosting::Context& context,
                         const config::Live<relay::Options>& live, postgres::Pool& pool)
    : PollingWorker(std::move(name), context,
                    {.interval = [&live] { return live.get()->relay.maintenance_interval; }}),
      live_(live),
      pool_(pool),
      in_default_(context.metrics.gauge("gantry_outbox_default_partition_rows",
                                        "Rows outside of every day's partition; should be 0.")),
      dropped_(context.metrics.counter("gantry_outbox_partitions_dropped_total",
                                       "Published days that were dropped.")) {}

Result<hosting::PollingWorker::Next> Maintenance::run_once(std::stop_token) {
    const auto tables =
        TRY(pool_.exec(Deadline::after(kLimit), "SELECT * FROM gantry.maintain_partitions()"));
    double in_default = 0;
    for (const auto table : tables) {
        const auto name = table.get<std::string>("table_name");
        if (name == "outbox_message" || name == "outbox_wakeup") {
            in_default += static_cast<double>(table.get<std::int64_t>("in_default"));
        }
    }
    if (!tables.empty()) {
        in_default_.set(in_default);
    }
    const auto rows =
        TRY(pool_.exec(Deadline::after(kLimit), "SELECT gantry.outbox_drop_published($1::interval)",
                       {live_.get()->relay.keep_published}));
    if (const int dropped = rows.front().get<int>(0); dropped > 0) {
        dropped_.increment(dropped);
        logging::info("dropped published days of the outbox", {{"partitions", dropped}});
    }
    return Next::wait;
}

}  // namespace gantry::relay
