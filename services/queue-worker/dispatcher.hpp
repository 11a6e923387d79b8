#pragma once

#include "gantry/hosting/background_service.hpp"
#include "gantry/jobs/completer.hpp"
#include "gantry/jobs/partitions.hpp"
#include "gantry/kafka/consumer.hpp"
#include "options.hpp"
#include "record_desk.hpp"
#include "runner.hpp"
#include "work.hpp"

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace gantry::worker {

/// The heart of queue-worker: one thread polls Kafka and feeds the bounded channel, N threads run
/// what is in it.
///
/// Partitions are taken over by raising their epoch in the database before anything of them is
/// read, and given back after what ran on them has ended or taken a lease. Offsets are committed by
/// low watermark. While enough work is inside, or the database is away, nothing is read.
class Dispatcher final : public hosting::BackgroundService {
public:
    /// What the dispatcher uses; all of it outlives it.
    struct Parts {
        const Options& options;
        Work& work;
        Runner& runner;
        jobs::Completer& completer;
        jobs::PartitionStore& partitions;
        postgres::Pool& pool;  ///< One that no handler can exhaust.
        std::string dead_topic;
    };

    Dispatcher(std::string name, hosting::Context& context, Parts parts);
    ~Dispatcher() override { join(); }

protected:
    Result<void> execute(std::stop_token stop) override;

private:
    void run_executors();
    void turn();
    void read();
    void handle(kafka::Event event);
    void take(const kafka::Message& record);
    void accept(std::vector<kafka::TopicPartition> partitions);
    void claim();
    void give_back(const kafka::Revoked& revoked);
    [[nodiscard]] bool finish_or_lease(const std::vector<jobs::Source>& sources);
    void work_off();
    [[nodiscard]] bool full() const;
    void pace();
    void commit_soon();
    void stop_all();
    void show();
    [[nodiscard]] milliseconds patience();

    // Constant after construction.
    Parts parts_;
    std::map<std::string, std::string> queue_of_topic_;
    // Used by the loop only.
    std::unique_ptr<kafka::Consumer> consumer_;
    RecordDesk desk_;
    std::vector<kafka::TopicPartition> assigned_;
    bool claim_due_ = false;  // assigned, epochs not raised yet: paused until then
    bool paused_ = false;
    bool database_away_ = false;
    Backoff database_backoff_{{milliseconds{50}, milliseconds{2'000}, milliseconds{20}}};
    SteadyTime next_step_{};
    SteadyTime next_commit_{};
    SteadyTime next_kafka_warning_{};
    // Last: they use the rest.
    std::vector<std::jthread> executors_;
};

}  // namespace gantry::worker
