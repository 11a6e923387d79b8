#pragma once

#include "gantry/kafka/admin.hpp"
#include "gantry/kafka/consumer.hpp"
#include "gantry/testing/test_database.hpp"

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace gantry::relay::testing {

enum class Mode { wal, polling };

/// The built outbox-relay as a process. Killed at the end if it still runs.
class RelayProcess {
public:
    RelayProcess(const std::string& database_url, const std::string& brokers,
                 const std::string& prefix, const std::vector<std::string>& flags = {});
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
    /// Anonymous resident memory in KiB.
    [[nodiscard]] long resident_kib() const;

private:
    pid_t pid_ = -1;
    std::string log_path_;
};

/// A database and Kafka topics of this test alone.
class Bench {
public:
    explicit Bench(Mode mode);
    ~Bench();
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    std::unique_ptr<RelayProcess> relay(const std::vector<std::string>& flags = {}) const;

    gantry::testing::TestDatabase& database() { return database_; }
    kafka::Admin& admin() { return *admin_; }
    [[nodiscard]] const std::string& prefix() const { return prefix_; }
    [[nodiscard]] std::string events() const { return prefix_ + ".events.orders"; }

    /// Publishes an event in a transaction of its own, as psql would.
    void publish(const std::string& key, const std::string& payload) const;

    /// Everything in the topic: reads until `count` different payloads came or `limit` passed, and
    /// then a little longer, so that what should not come is seen.
    std::vector<kafka::Message> read(const std::string& topic, std::size_t count,
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
    std::vector<kafka::Message> take(const std::string& topic, std::size_t count,
                                     milliseconds limit, milliseconds linger);

    /// A session that is kept, because connecting takes longer than most statements.
    postgres::Connection& session() const;

    std::string brokers_;
    std::string prefix_;
    std::unique_ptr<kafka::Admin> admin_;
    metrics::Registry metrics_;
    gantry::testing::TestDatabase database_;
    mutable std::unique_ptr<postgres::Connection> session_;
};

/// What an independent consumer saw of records whose payload is `<key>:<number>`.
struct Verdict {
    std::size_t different = 0;
    std::size_t duplicates = 0;
    std::string disorder;  ///< The first place where a key's first occurrences go backwards.
};
Verdict judge(const std::vector<kafka::Message>& messages);

/// Publishes numbered events on several keys, each in a transaction of its own, until stopped.
class Load {
public:
    Load(const std::string& database_url, std::string topic, int keys = 5);
    /// Stops; how many events were committed.
    std::size_t stop();

private:
    std::size_t committed_ = 0;
    // Last: it uses the rest.
    std::jthread thread_;
};

}  // namespace gantry::relay::testing
