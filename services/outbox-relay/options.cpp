#include "options.hpp"

namespace gantry::relay {

void RelayOptions::bind(config::Binder& binder) {
    binder.add("relay.owner", owner, "Name in the lease row; host and process id if empty");
    binder.add("relay.lease_ttl", lease_ttl, "A leader that is silent for this long is replaced")
        .range(2'000, 60'000);
    binder
        .add("relay.inflight_bytes", inflight_bytes,
             "Bytes sent to Kafka and not acknowledged; at this reading stops")
        .range(std::int64_t{2} << 20, std::int64_t{1} << 30);
    binder
        .add("relay.inflight_records", inflight_records,
             "Records sent to Kafka and not acknowledged; at this reading stops")
        .range(1, 1'000'000);
    binder.add("relay.linger", linger, "How long a Kafka batch waits for company").range(0, 1'000);
    binder
        .add("relay.poll_min_interval", poll_min_interval,
             "Polling mode: pause between rounds while there is work")
        .range(1, 10'000);
    binder
        .add("relay.poll_max_interval", poll_max_interval,
             "Polling mode: pause after a long time without work")
        .range(1, 60'000);
    binder
        .add("relay.drain_timeout", drain_timeout,
             "At stop: time for what was sent to be acknowledged")
        .range(0, 60'000);
    binder.add("relay.topics", topics, "Further topics to create, full names");
    binder.add("relay.partitions", partitions, "Partitions of created topics without a queue")
        .range(1, 1'024);
    binder
        .add("relay.replication_factor", replication_factor,
             "Replicas of created topics; -1 is the broker's default")
        .range(-1, 32);
    binder
        .add("relay.topics_interval", topics_interval,
             "How often declared topics are looked for and created")
        .range(1'000, 3'600'000);
    binder
        .add("relay.maintenance_interval", maintenance_interval,
             "How often partitions are made ahead and published days dropped")
        .range(1'000, 86'400'000)
        .reloadable();
    binder
        .add("relay.keep_published", keep_published,
             "How long a published day of the ledger is kept")
        .range(0, std::int64_t{366} * 86'400'000)
        .reloadable();
}

std::vector<config::Fault> RelayOptions::validate() const {
    std::vector<config::Fault> faults;
    if (poll_max_interval < poll_min_interval) {
        faults.push_back(
            {"relay.poll_max_interval", "", "must not be less than relay.poll_min_interval"});
    }
    for (const auto& topic : topics) {
        if (topic.empty() || topic.size() > 249 || topic == "." || topic == ".." ||
            topic.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789._-") != std::string::npos) {
            faults.push_back({"relay.topics", "", "each must be 1 to 249 of A-Z a-z 0-9 . _ -"});
            break;
        }
    }
    return faults;
}

void Options::bind(config::Binder& binder) {
    admin.bind(binder);
    grpc.bind(binder);
    postgres.bind(binder);
    kafka.bind(binder);
    relay.bind(binder);
    tracing.bind(binder);
}

std::vector<config::Fault> Options::validate() const {
    auto faults = kafka.validate();
    for (auto& fault : relay.validate()) {
        faults.push_back(std::move(fault));
    }
    return faults;
}

}  // namespace gantry::relay
