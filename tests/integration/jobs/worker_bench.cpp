#include "worker_bench.hpp"

#include "gantry/kafka/consumer.hpp"
#include "gantry/testing/offer.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <future>
#include <stdexcept>
#include <utility>

namespace gantry::worker::testing {
namespace {

constexpr milliseconds kLimit{20'000};

template <class T>
T need(Result<T> result) {
    if (!result) {
        throw std::runtime_error(result.error().message);
    }
    return std::move(*result);
}

kafka::Options kafka_options() {
    const char* brokers = std::getenv("GANTRY_TEST_KAFKA_BROKERS");
    if (brokers == nullptr) {
        throw std::runtime_error("GANTRY_TEST_KAFKA_BROKERS is not set");
    }
    kafka::Options options;
    options.brokers = brokers;
    options.client_id = "integration-test";
    options.topic_prefix = "test-" + Uuid::v7().to_string().substr(0, 23);
    return options;
}

}  // namespace

bool eventually(const std::function<bool()>& holds, milliseconds limit) {
    const auto end = Deadline::after(limit);
    while (!holds()) {
        if (end.expired()) {
            return false;
        }
        system_clock().sleep_for(milliseconds{10}, {});
    }
    return true;
}

Bench::Bench(int partitions)
    : kafka(kafka_options()),
      admin_(need(kafka::Admin::create(kafka))),
      producer_(need(kafka::Producer::create(kafka, {}, metrics_))),
      partitions_(partitions) {
    database.exec("UPDATE gantry.setting SET value = 'polling' WHERE name LIKE 'outbox.%'");
    const auto made =
        need(admin_->create_topics({{jobs_topic(), partitions, 1, {}}}, Deadline::after(kLimit)));
    if (!made.front().result) {
        throw std::runtime_error(made.front().result.error().message);
    }
    relay_ = std::jthread([this](const std::stop_token& stop) { relay(stop); });
}

Bench::~Bench() {
    relay_ = {};
    static_cast<void>(admin_->delete_topics({jobs_topic()}, Deadline::after(kLimit)));
}

void Bench::relay(const std::stop_token& stop) {
    while (system_clock().sleep_for(milliseconds{5}, stop)) {
        if (!pumping_) {
            continue;
        }
        const auto rows = pool_.exec(Deadline::after(kLimit),
                                     "DELETE FROM gantry.outbox_wakeup "
                                     "RETURNING id, job, dispatch, coalesce(key, ''), xid::text");
        if (!rows) {
            continue;  // the test has cut the database's sessions
        }
        std::map<std::int64_t, kafka::Record> records;
        for (const auto row : *rows) {
            records.emplace(row.get<std::int64_t>(0),
                            wakeup(row.get<Uuid>(1), row.get<std::int64_t>(2),
                                   row.get<std::string>(3), row.get<std::string>(4)));
        }
        for (const auto& [id, record] : records) {
            static_cast<void>(
                gantry::testing::offer(*producer_, record, [](const kafka::Delivery&) {}));
        }
    }
}

kafka::Record Bench::wakeup(const Uuid& id, std::int64_t dispatch, const std::string& key,
                            const std::string& xid) const {
    nlohmann::json value{{"id", id.to_string()}, {"dispatch", dispatch}, {"xid", xid}};
    if (!key.empty()) {
        value["key"] = key;
    }
    kafka::Record record;
    record.topic = jobs_topic();
    record.key = key.empty() ? id.to_string() : key;
    record.value = value.dump();
    record.headers = {{"ce_specversion", "1.0"},
                      {"ce_id", id.to_string() + "/" + std::to_string(dispatch)},
                      {"ce_type", "io.gantry.job.wakeup"},
                      {"ce_source", "/gantry/jobs"}};
    return record;
}

kafka::Record Bench::event(const std::string& id, const std::string& type,
                           const std::string& data) const {
    kafka::Record record;
    record.topic = jobs_topic();
    record.value = data;
    record.headers = {{"ce_specversion", "1.0"},
                      {"ce_id", id},
                      {"ce_source", "/test"},
                      {"ce_type", type},
                      {"content-type", "text/plain"}};
    return record;
}

std::int64_t Bench::send(const kafka::Record& record) {
    auto promise = std::make_shared<std::promise<std::int64_t>>();
    auto offset = promise->get_future();
    const auto taken = gantry::testing::offer(
        *producer_, record,
        [promise](const kafka::Delivery& delivery) { promise->set_value(delivery.offset); });
    if (!taken || offset.wait_for(kLimit) != std::future_status::ready) {
        throw std::runtime_error("the record was not delivered");
    }
    return offset.get();
}

jobs::Job Bench::enqueue(jobs::NewJob job) {
    if (job.queue.empty()) {
        job.queue = "default";
    }
    return need(enqueuer_.enqueue(job, Deadline::after(kLimit)));
}

jobs::Job Bench::read(const Uuid& id) {
    // Also in the moment after a test has cut the sessions.
    auto job = store_.find(id, Deadline::after(kLimit));
    return job ? *job : need(store_.find(id, Deadline::after(kLimit)));
}

bool Bench::ends(const Uuid& id, jobs::State state, milliseconds limit) {
    const bool ended = eventually([&] { return read(id).state == state; }, limit);
    if (!ended) {
        const auto job = read(id);
        ADD_FAILURE() << "job is " << jobs::to_string(job.state) << ", dispatch " << job.dispatch
                      << ", attempt " << job.attempt << ", error '" << job.error << "'";
    }
    return ended;
}

std::int64_t Bench::count(const std::string& from) const {
    return database.exec("SELECT count(*) FROM " + from).front().get<std::int64_t>(0);
}

void Bench::allow_connections(const std::string& allowed) {
    auto options = database.options();
    options.url = std::getenv("GANTRY_TEST_DATABASE_URL");
    const auto server = need(postgres::Connection::open(options));
    need(server->exec("ALTER DATABASE " + database.name() + " ALLOW_CONNECTIONS " + allowed));
    need(server->exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
                      {database.name()}));
}

void Bench::cut_database() {
    allow_connections("false");
}

void Bench::restore_database() {
    allow_connections("true");
}

std::int64_t Bench::committed() {
    kafka::ConsumerSettings settings;
    settings.group = kafka.topic("workers");
    const auto reader = need(kafka::Consumer::create(kafka, settings, metrics_));
    std::vector<kafka::TopicPartition> all;
    for (int i = 0; i < partitions_; ++i) {
        all.push_back({jobs_topic(), i});
    }
    std::int64_t sum = 0;
    for (const auto& one : need(reader->committed(all, Deadline::after(kLimit)))) {
        sum += one.offset;
    }
    return sum;
}

Options Worker::options_of(Bench& bench, WorkerOptions options) {
    Options all;
    all.postgres = bench.database.options();
    all.kafka = bench.kafka;
    all.worker = std::move(options);
    all.worker.queues = {"default"};
    return all;
}

Worker::Worker(Bench& bench, std::string owner, const Handlers& handlers, WorkerOptions options)
    : options_(options_of(bench, std::move(options))),
      pool_(options_.postgres, metrics),
      control_pool_(options_.postgres, metrics),
      job_metrics_(metrics, handlers_),
      work(static_cast<std::size_t>(options_.worker.channel_capacity), job_metrics_),
      completions_(control_pool_, owner, bench.dead_topic()),
      leases_(control_pool_, owner),
      partitions_(control_pool_, owner),
      sink_(completions_, leases_),
      runner_(handlers_, completer_, completions_, work, system_clock()),
      completer_(sink_, system_clock(), metrics) {
    handlers(handlers_);
    services_.push_back(std::make_unique<jobs::Promoter>("promoter", context_, control_pool_,
                                                         options_.worker.promote_every));
    services_.push_back(std::make_unique<jobs::Rescuer>(
        "rescuer", context_, options_.postgres, bench.dead_topic(), options_.worker.lease_time));
    services_.push_back(std::make_unique<LeaseKeeper>("leases", context_, work, completer_, leases_,
                                                      options_.worker.lease_after));
    services_.push_back(std::make_unique<Dispatcher>(
        "dispatcher", context_,
        Dispatcher::Parts{options_, work, runner_, completer_, partitions_, control_pool_,
                          bench.dead_topic()}));
}

void Worker::start() {
    for (const auto& service : services_) {
        if (!service->start({})) {
            throw std::runtime_error("a service of the worker did not start");
        }
    }
}

milliseconds Worker::stop() {
    const auto began = system_clock().steady_now();
    while (!services_.empty()) {
        const auto stopped = services_.back()->stop(Deadline::after(milliseconds{10'000}));
        EXPECT_TRUE(stopped) << (stopped ? "" : stopped.error().message);
        services_.pop_back();
    }
    return std::chrono::duration_cast<milliseconds>(system_clock().steady_now() - began);
}

bool Worker::has_partitions(milliseconds limit) {
    return eventually([this] { return partitions() > 0; }, limit);
}

}  // namespace gantry::worker::testing
