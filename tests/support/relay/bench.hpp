#pragma once

#include "gantry/kafka/admin.hpp"
#include "gantry/kafka/consumer.hpp"
#include "gantry/testing/test_database.hpp"
#include "load.hpp"
#include "verdict.hpp"

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gantry::relay::testing {

enum class Mode { wal, polling };

/// Where a relay stops and waits to be killed: for the `count`-th time at one of the points of
/// crash_points.hpp.
struct StopAt {
    std::string point;
    int count = 1;
};

/// The built outbox-relay as a process. Killed at the end if it still runs.
class RelayProcess {
public:
    /// An empty URL leaves the setting to the flags.
    RelayProcess(const std::string& database_url, const std::string& brokers,
                 const std::string& prefix, const std::vector<std::string>& flags = {},
                 const StopAt& stop_at = {});
    ~RelayProcess();
    RelayProcess(const RelayProcess&) = delete;
    RelayProcess& operator=(const RelayProcess&) = delete;

    void signal(int number) const;
    /// SIGTERM and its exit code; −1 if it did not end in time.
    int stop();
    /// SIGKILL.
    void kill();
    [[nodiscard]] pid_t pid() const { return pid_; }
    /// What it has logged so far.
    [[nodiscard]] std::string log() const;
    [[nodiscard]] bool logged(const std::string& text) const {
        return log().find(text) != std::string::npos;
    }
    [[nodiscard]] bool leading() const { return logged("\"msg\":\"leading\""); }
    [[nodiscard]] bool stopped_at_point() const { return logged("stopped at a crash point"); }
    /// Anonymous resident memory in KiB.
    [[nodiscard]] long resident_kib() const;
    /// The value of one series of its metrics, such as `gantry_outbox_leader`; nothing if there is
    /// none.
    [[nodiscard]] std::optional<double> metric(const std::string& series) const;
    /// The status of one of its probes, such as `/readyz`; 0 without an answer.
    [[nodiscard]] int probe(const std::string& path) const;

private:
    [[nodiscard]] std::string admin_address() const;

    pid_t pid_ = -1;
    std::string log_path_;
};

/// The servers of a test; empty ones are those of the environment.
struct Places {
    std::string postgres = {};  ///< URL of any database of the server.
    std::string brokers = {};
};

/// A database and Kafka topics of this test alone.
class Bench {
public:
    explicit Bench(Mode mode, const Places& places = {});
    ~Bench();
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    std::unique_ptr<RelayProcess> relay(const std::vector<std::string>& flags = {},
                                        const StopAt& stop_at = {}) const;

    gantry::testing::TestDatabase& database() { return database_; }
    kafka::Admin& admin() { return *admin_; }
    [[nodiscard]] const std::string& brokers() const { return brokers_; }
    [[nodiscard]] const std::string& prefix() const { return prefix_; }
    [[nodiscard]] std::string events() const { return prefix_ + ".events.orders"; }

    /// Publishes an event in a transaction of its own, as psql would.
    void publish(const std::string& key, const std::string& payload) const;

    /// Everything in the topic: reads until `count` different payloads came or `limit` passed, and
    /// then a little longer, so that what should not come is seen.
    std::vector<kafka::Message> read(const std::string& topic, std::size_t count,
                                     milliseconds limit = milliseconds{60'000});

    /// The same, judged one by one and not kept.
    Verdict watch(const std::string& topic, std::size_t count,
                  milliseconds limit = milliseconds{60'000});

    /// Commits a transaction of so many events of about 300 bytes on ten keys.
    void publish_many(int count) const;

    /// Waits until so many events are there; false if they do not come.
    bool arrive(std::size_t count);

    /// Waits until `condition` holds; false if it does not within `limit`.
    static bool eventually(const std::function<bool()>& condition,
                           milliseconds limit = milliseconds{30'000});

    [[nodiscard]] std::int64_t number(const std::string& sql) const;
    [[nodiscard]] std::int64_t epoch() const {
        return number("SELECT epoch FROM gantry.outbox_lease WHERE shard = 0");
    }

private:
    /// Hands out a topic's records until `take` has said true and `linger` has passed.
    void consume(const std::string& topic, milliseconds limit, milliseconds linger,
                 const std::function<bool(kafka::Message)>& take);

    /// A session that is kept, because connecting takes longer than most statements.
    postgres::Connection& session() const;

    std::string brokers_;
    std::string prefix_;
    std::unique_ptr<kafka::Admin> admin_;
    metrics::Registry metrics_;
    gantry::testing::TestDatabase database_;
    mutable std::unique_ptr<postgres::Connection> session_;
};

}  // namespace gantry::relay::testing
