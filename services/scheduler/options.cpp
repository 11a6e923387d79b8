#include "options.hpp"

#include "schedules_file.hpp"

namespace gantry::scheduler {

void Options::bind(config::Binder& binder) {
    postgres.application_name = "gantry-scheduler";
    admin.bind(binder);
    grpc.bind(binder);
    postgres.bind(binder);
    tracing.bind(binder);
    binder.add(
        "scheduler.schedules_file", schedules_file,
        "YAML file of schedules that are applied at start; empty for the built-in ones only");
    binder
        .add("scheduler.poll_interval", ticker.poll_interval,
             "how often edits of schedules are looked for")
        .range(50, 60'000);
    binder
        .add("scheduler.takeover_after", ticker.takeover_after,
             "how long a replica waits for another one that fired a shard last")
        .range(10, 10'000);
    binder
        .add("scheduler.missed_after", ticker.missed_after,
             "fires later than this are left to the schedule's catch-up policy")
        .range(1'000, 3'600'000);
    binder.add("scheduler.batch_size", ticker.batch_size, "most fires of one transaction")
        .range(1, 10'000);
    binder
        .add("scheduler.upkeep_interval", upkeep_interval,
             "how often partitions of fires are made ahead and dropped behind")
        .range(1'000, 86'400'000)
        .reloadable();
}

std::vector<config::Fault> Options::validate() const {
    return schedules_file.empty() ? std::vector<config::Fault>{}
                                  : read_schedules(schedules_file).faults;
}

}  // namespace gantry::scheduler
