#include "maintenance.hpp"

#include "gantry/logging/log.hpp"

namespace gantry::worker {

Result<Maintenance::Next> Maintenance::run_once(std::stop_token /*stop*/) {
    constexpr milliseconds kLimit{25'000};
    const auto made = TRY(pool_.exec(Deadline::after(kLimit, context().clock),
                                     "SELECT coalesce(sum(created), 0)::int "
                                     "FROM gantry.maintain_partitions()"));
    const auto dropped = TRY(
        pool_.exec(Deadline::after(kLimit, context().clock), "SELECT gantry.drop_finished_jobs()"));
    const int created = made.front().get<int>(0);
    const int gone = dropped.front().get<int>(0);
    if (created > 0 || gone > 0) {
        logging::info("kept the tables", {{"partitions_made", created}, {"days_dropped", gone}});
    }
    return Next::wait;
}

}  // namespace gantry::worker
