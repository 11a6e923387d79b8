#include "options.hpp"

#include "gantry/jobs/job.hpp"

#include <set>

namespace gantry::worker {

void WorkerOptions::bind(config::Binder& binder) {
    binder.add("worker.queues", queues, "Queues whose jobs this process runs");
    binder.add("worker.concurrency", concurrency, "Jobs that run at a time").range(1, 1'000);
    binder
        .add("worker.channel_capacity", channel_capacity,
             "Jobs that wait for a free thread; when full, polling Kafka pauses")
        .range(1, 100'000);
    binder
        .add("worker.lease_after", lease_after,
             "A job that runs for longer is leased, and holds its Kafka partition no more")
        .range(100, 60'000);
    binder
        .add("worker.lease_time", lease_time,
             "Jobs of a worker that has not beaten for this long are given to another")
        .range(4'000, 600'000);
    binder.add("worker.promote_every", promote_every, "How often due jobs are looked for")
        .range(10, 60'000)
        .reloadable();
    binder
        .add("worker.maintain_every", maintain_every,
             "How often partitions are made ahead and finished jobs dropped")
        .range(1'000, 86'400'000)
        .reloadable();
}

void Options::bind(config::Binder& binder) {
    admin.bind(binder);
    postgres.bind(binder);
    kafka.bind(binder);
    grpc.bind(binder);
    worker.bind(binder);
    sync.bind(binder);
    tracing.bind(binder);
}

std::vector<config::Fault> Options::validate() const {
    std::vector<config::Fault> faults;
    std::set<std::string> seen;
    if (worker.queues.empty()) {
        faults.push_back({"worker.queues", "", "must name at least one queue"});
    }
    for (const auto& queue : worker.queues) {
        if (!jobs::is_queue_name(queue)) {
            faults.push_back({"worker.queues", "",
                              "names of queues are 1 to 63 of a-z 0-9 -, separated by commas"});
        } else if (!seen.insert(queue).second) {
            faults.push_back({"worker.queues", "", "names queue " + queue + " twice"});
        }
    }
    return faults;
}

}  // namespace gantry::worker
