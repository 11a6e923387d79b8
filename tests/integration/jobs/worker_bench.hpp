#pragma once

#include "dispatcher.hpp"
#include "gantry/health/registry.hpp"
#include "gantry/hosting/lifetime.hpp"
#include "gantry/jobs/enqueuer.hpp"
#include "gantry/jobs/job_store.hpp"
#include "gantry/jobs/promoter.hpp"
#include "gantry/jobs/rescuer.hpp"
#include "gantry/kafka/admin.hpp"
#include "gantry/kafka/producer.hpp"
#include "gantry/testing/test_database.hpp"
#include "lease_keeper.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace gantry::worker::testing {

/// Looks every few milliseconds until `holds`, for at most `limit`. For what gives no signal, such
/// as a row that another thread writes.
bool eventually(const std::function<bool()>& holds, milliseconds limit = milliseconds{30'000});

/// A database and Kafka topics of this test alone, and the relay's part in small: what is written
/// to the fast lane is sent as wake-ups.
class Bench {
public:
    explicit Bench(int partitions = 4);
    ~Bench();
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    jobs::Job enqueue(jobs::NewJob job);
    jobs::Job read(const Uuid& id);
    bool ends(const Uuid& id, jobs::State state, milliseconds limit = milliseconds{30'000});
    [[nodiscard]] std::int64_t count(const std::string& from) const;

    /// Sends a record to the jobs topic of `default` and waits for its acknowledgement; its offset.
    std::int64_t send(const kafka::Record& record);
    /// The wake-up of a job as the relay sends it.
    [[nodiscard]] kafka::Record wakeup(const Uuid& id, std::int64_t dispatch,
                                       const std::string& key, const std::string& xid) const;
    /// A producer's own CloudEvent.
    [[nodiscard]] kafka::Record event(const std::string& id, const std::string& type,
                                      const std::string& data) const;

    /// The group's committed offsets of the jobs topic, added up.
    std::int64_t committed();

    /// Takes the database away from everybody, and gives it back.
    void cut_database();
    void restore_database();

    /// While false, what is written to the fast lane stays there.
    void pump(bool on) { pumping_ = on; }

    gantry::testing::TestDatabase database;
    kafka::Options kafka;
    [[nodiscard]] std::string jobs_topic() const { return kafka.topic("jobs.default"); }
    [[nodiscard]] std::string dead_topic() const { return kafka.topic("dead.jobs"); }

private:
    void relay(const std::stop_token& stop);

    void allow_connections(const std::string& allowed);

    metrics::Registry metrics_;
    std::unique_ptr<kafka::Admin> admin_;
    std::unique_ptr<kafka::Producer> producer_;
    postgres::Pool pool_{database.options(), metrics_};
    jobs::Enqueuer enqueuer_{pool_, system_clock(), metrics_};
    jobs::JobStore store_{pool_};
    int partitions_;
    std::atomic<bool> pumping_{true};
    // Last: it uses the rest.
    std::jthread relay_;
};

/// How often each job has run, whoever ran it. Thread-safe.
class Ledger {
public:
    void ran(const Uuid& job) {
        const std::lock_guard lock(mutex_);
        ++runs_[job];
        order_.push_back(job);
    }
    [[nodiscard]] int runs(const Uuid& job) const {
        const std::lock_guard lock(mutex_);
        const auto found = runs_.find(job);
        return found == runs_.end() ? 0 : found->second;
    }
    [[nodiscard]] std::size_t different() const {
        const std::lock_guard lock(mutex_);
        return runs_.size();
    }
    [[nodiscard]] std::vector<Uuid> order() const {
        const std::lock_guard lock(mutex_);
        return order_;
    }

private:
    mutable std::mutex mutex_;
    std::map<Uuid, int> runs_;
    std::vector<Uuid> order_;
};

/// A worker as queue-worker composes it, with handlers of the test.
class Worker {
public:
    using Handlers = std::function<void(jobs::Registry&)>;

    Worker(Bench& bench, std::string owner, const Handlers& handlers, WorkerOptions options = {});
    ~Worker() { stop(); }

    void start();
    /// Stops as the host does; how long it took.
    milliseconds stop();

    /// True once it has partitions, or knows that there are none for it.
    bool has_partitions(milliseconds limit = milliseconds{30'000});
    [[nodiscard]] std::size_t partitions() const { return work.book.sources().size(); }

    metrics::Registry metrics;

private:
    static Options options_of(Bench& bench, WorkerOptions options);

    health::Registry health_{system_clock()};
    health::Watchdog watchdog_{system_clock(), {}};
    hosting::Lifetime lifetime_;
    hosting::Context context_{"queue-worker", "0",       system_clock(), metrics,
                              health_,        watchdog_, lifetime_};
    Options options_;
    postgres::Pool pool_;
    postgres::Pool control_pool_;
    jobs::Registry handlers_;
    JobMetrics job_metrics_;

public:
    Work work;

private:
    jobs::CompletionStore completions_;
    jobs::LeaseStore leases_;
    jobs::PartitionStore partitions_;
    jobs::SqlCompletionSink sink_;
    Runner runner_;
    jobs::Completer completer_;
    std::vector<std::unique_ptr<hosting::HostedService>> services_;
};

}  // namespace gantry::worker::testing
