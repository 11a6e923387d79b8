#pragma once

#include "gantry/admin/server.hpp"
#include "gantry/base/units.hpp"
#include "gantry/kafka/options.hpp"
#include "gantry/otlp/options.hpp"
#include "gantry/postgres/options.hpp"
#include "gantry/rpc/server.hpp"

#include <string>
#include <vector>

namespace gantry::relay {

/// Settings of the relay itself, bound under `relay.`.
struct RelayOptions {
    std::string owner;                  ///< Name in the lease row; host and process if empty.
    milliseconds lease_ttl{5'000};      ///< A leader that is silent so long is replaced.
    ByteSize inflight_bytes{16 << 20};  ///< Unacknowledged records; then reading stops.
    int inflight_records = 50'000;
    milliseconds linger{1};                 ///< How long a Kafka batch waits for company.
    milliseconds poll_min_interval{20};     ///< Polling mode: pause while there is work.
    milliseconds poll_max_interval{1'000};  ///< Polling mode: pause after a long time without.
    milliseconds drain_timeout{5'000};      ///< At stop: for what is in flight.
    std::vector<std::string> topics;        ///< Further topics to create, full names.
    int partitions = 4;                     ///< Of topics that are not a queue's.
    int replication_factor = -1;            ///< −1: the broker's default.
    milliseconds topics_interval{10'000};   ///< How often declared topics are looked at.
    milliseconds maintenance_interval{300'000};
    milliseconds keep_published{259'200'000};  ///< Ledger days are kept this long.

    void bind(config::Binder& binder);
    [[nodiscard]] std::vector<config::Fault> validate() const;
};

/// All settings of the process.
struct Options {
    admin::Options admin;
    rpc::ServerOptions grpc;
    postgres::Options postgres;
    kafka::Options kafka;
    RelayOptions relay;
    otlp::Options tracing;

    void bind(config::Binder& binder);
    [[nodiscard]] std::vector<config::Fault> validate() const;
};

}  // namespace gantry::relay
