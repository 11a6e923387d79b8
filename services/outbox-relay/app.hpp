#pragma once

#include "gantry/config/live.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/host.hpp"
#include "gantry/kafka/admin.hpp"
#include "gantry/postgres/pool.hpp"
#include "options.hpp"
#include "stats.hpp"
#include "topic_directory.hpp"

#include <memory>
#include <string_view>

namespace gantry::relay {

/// The relay's composition root: everything the process shares, in dependency order.
class App {
public:
    static constexpr std::string_view kName = "outbox-relay";
    static constexpr std::string_view kSummary =
        "Carries events and job wake-ups from PostgreSQL to Kafka, in order, none lost.";
    using Options = relay::Options;

    App(const config::Live<Options>& live, hosting::Context& context);

    /// Admin port, topics, maintenance, the relay itself, gRPC, in start order.
    void compose(hosting::HostBuilder& host);

private:
    const config::Live<Options>& live_;
    Options options_;  // of the start
    hosting::Context& context_;
    postgres::Pool pool_;
    std::unique_ptr<kafka::Admin> admin_;
    TopicDirectory topics_;
    Stats stats_;
};

}  // namespace gantry::relay
