#include "dispatcher.hpp"

#include "gantry/logging/log.hpp"
#include "lease_keeper.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace gantry::worker {
namespace {

constexpr milliseconds kIdleWait{100};
constexpr milliseconds kBusyWait{2};
constexpr milliseconds kPausedWait{5};
constexpr milliseconds kCommitEvery{200};
constexpr milliseconds kKafkaWarningEvery{10'000};
constexpr milliseconds kDatabaseLimit{3'000};
// Within a rebalance: short jobs end, the rest take a lease.
constexpr milliseconds kDrain{1'000};
constexpr milliseconds kFlush{3'000};
constexpr milliseconds kCommitLimit{2'000};
// Within the process's stop: what does not end by itself is asked to, and then left.
constexpr milliseconds kLetFinish{2'000};
constexpr milliseconds kAfterAsking{2'500};
constexpr milliseconds kLastFlush{1'500};
constexpr milliseconds kClose{1'500};
constexpr std::size_t kMostWaiting = 1'000;

kafka::ConsumerSettings consumer_settings(const kafka::Options& options) {
    kafka::ConsumerSettings settings;
    settings.group = options.topic("workers");
    // The check against the row makes reading old records again harmless.
    settings.offset_reset = kafka::OffsetReset::earliest;
    return settings;
}

bool is_of(const jobs::Source& source, const std::vector<jobs::Source>& sources) {
    return std::ranges::any_of(sources, [&](const jobs::Source& one) {
        return one.topic == source.topic && one.partition == source.partition &&
               one.epoch == source.epoch;
    });
}

}  // namespace

Dispatcher::Dispatcher(std::string name, hosting::Context& context, Parts parts)
    : BackgroundService(std::move(name), context),
      parts_(std::move(parts)),
      desk_(parts_.work, parts_.pool, parts_.dead_topic, context.clock) {
    for (const auto& queue : parts_.options.worker.queues) {
        queue_of_topic_.emplace(parts_.options.kafka.topic("jobs." + queue), queue);
    }
}

Result<void> Dispatcher::execute(std::stop_token stop) {
    consumer_ = TRY(kafka::Consumer::create(
        parts_.options.kafka, consumer_settings(parts_.options.kafka), context().metrics));
    std::vector<std::string> topics;
    for (const auto& [topic, queue] : queue_of_topic_) {
        topics.push_back(topic);
    }
    TRY(consumer_->subscribe(topics));
    report(health::Status::degraded, "joining the consumer group");
    run_executors();
    while (!stop.stop_requested()) {
        turn();
    }
    stop_all();
    return {};
}

void Dispatcher::run_executors() {
    for (int i = 0; i < parts_.options.worker.concurrency; ++i) {
        executors_.emplace_back([this](const std::stop_token& stop) {
            while (auto task = parts_.work.queue.next(stop)) {
                parts_.runner.run(*std::move(task));
            }
        });
    }
}

void Dispatcher::turn() {
    beat();
    // A whole batch of what is there, so that one query checks it.
    auto event = consumer_->poll(patience());
    std::size_t taken = 0;
    while (true) {
        const bool record = std::holds_alternative<kafka::Message>(event);
        const bool idle = std::holds_alternative<kafka::Idle>(event);
        handle(std::move(event));
        taken += record ? 1 : 0;
        if (idle || !record || taken >= RecordDesk::kBatch) {
            break;
        }
        event = consumer_->poll(milliseconds{0});
    }
    claim();
    work_off();
    pace();
    commit_soon();
}

milliseconds Dispatcher::patience() {
    const auto now = context().clock.steady_now();
    if (database_away_ || claim_due_) {
        return std::clamp(std::chrono::ceil<milliseconds>(next_step_ - now), milliseconds{1},
                          kIdleWait);
    }
    if (desk_.waiting() > 0) {
        return kBusyWait;
    }
    if (paused_ || parts_.work.in_flight.size() > 0) {
        return kPausedWait;
    }
    return kIdleWait;
}

void Dispatcher::handle(kafka::Event event) {
    if (const auto* record = std::get_if<kafka::Message>(&event)) {
        take(*record);
    } else if (auto* given = std::get_if<kafka::Assigned>(&event)) {
        to_claim_ = std::move(given->partitions);
        claim_due_ = true;
        next_step_ = {};
    } else if (const auto* revoked = std::get_if<kafka::Revoked>(&event)) {
        give_back(*revoked);
    } else if (const auto* committed = std::get_if<kafka::Committed>(&event)) {
        if (!committed->result) {
            parts_.work.book.commit_failed(committed->offsets);
        }
    } else if (const auto* fault = std::get_if<Error>(&event)) {
        if (const auto now = context().clock.steady_now(); now >= next_kafka_warning_) {
            next_kafka_warning_ = now + kKafkaWarningEvery;
            logging::warning("Kafka is not quite there", *fault);
        }
    }
}

void Dispatcher::take(const kafka::Message& record) {
    const auto source = parts_.work.book.source({record.topic, record.partition});
    const auto queue = queue_of_topic_.find(record.topic);
    if (source && queue != queue_of_topic_.end()) {
        desk_.take(record, *source, queue->second);
    }
}

void Dispatcher::claim() {
    if (!claim_due_ || context().clock.steady_now() < next_step_) {
        return;
    }
    std::vector<std::pair<std::string, std::int32_t>> places;
    for (const auto& one : to_claim_) {
        places.emplace_back(one.topic, one.partition);
    }
    auto claimed = parts_.partitions.claim(places, parts_.options.worker.concurrency,
                                           Deadline::after(kDatabaseLimit, context().clock));
    if (!claimed) {
        next_step_ = context().clock.steady_now() + database_backoff_.next();
        report(health::Status::degraded,
               "partitions cannot be claimed: " + claimed.error().message);
        return;
    }
    database_backoff_.reset();
    claim_due_ = false;
    parts_.work.book.open(*claimed);
    if (const auto answered = consumer_->assign(to_claim_); !answered) {
        logging::warning("the assignment was not taken", answered.error());
        parts_.work.book.close(*claimed);
        return;
    }
    assigned_ = std::exchange(to_claim_, {});
    paused_ = false;
    logging::info("took partitions", {{"partitions", assigned_.size()}});
    report(health::Status::healthy, "has " + std::to_string(assigned_.size()) + " partitions");
}

void Dispatcher::give_back(const kafka::Revoked& revoked) {
    claim_due_ = false;
    to_claim_.clear();
    // Eager protocol: all of them go at once.
    const auto sources = parts_.work.book.sources();
    parts_.work.book.drain(sources);
    bool clean = !revoked.lost;
    if (!revoked.lost && !sources.empty()) {
        lease_or_wait(sources);
        clean = parts_.completer.flush(Deadline::after(kFlush, context().clock));
        beat();
        if (const auto offsets = parts_.work.book.take_commits(); !offsets.empty()) {
            if (const auto done =
                    consumer_->commit(offsets, Deadline::after(kCommitLimit, context().clock));
                !done) {
                logging::warning("offsets were not committed before the partitions went",
                                 done.error());
            }
        }
    }
    if (clean && !sources.empty()) {
        if (const auto released = parts_.partitions.release(
                sources, Deadline::after(kDatabaseLimit, context().clock));
            !released) {
            logging::warning("partitions were not marked as given back", released.error());
        }
    }
    parts_.work.book.close(sources);
    if (const auto answered = consumer_->unassign(); !answered) {
        logging::warning("the revocation was not answered", answered.error());
    }
    assigned_.clear();
    paused_ = false;
    logging::info("gave partitions back", {{"partitions", sources.size()}, {"lost", revoked.lost}});
    report(health::Status::degraded, "waiting for partitions");
}

void Dispatcher::lease_or_wait(const std::vector<jobs::Source>& sources) {
    const auto running = parts_.work.runs.wait_until_none(
        [&](const Run& run) {
            return !run.handler_ended && run.lease == Run::Lease::none &&
                   is_of(run.task.source, sources);
        },
        Deadline::after(kDrain, context().clock));
    for (const auto& run : running) {
        request_lease(parts_.work, parts_.completer, run);
    }
}

void Dispatcher::work_off() {
    const auto now = context().clock.steady_now();
    if (now < next_step_) {
        return;
    }
    const auto done = desk_.step();
    if (done) {
        if (std::exchange(database_away_, false)) {
            logging::info("the database answers again");
            report(health::Status::healthy,
                   "has " + std::to_string(assigned_.size()) + " partitions");
        }
        database_backoff_.reset();
        return;
    }
    if (!std::exchange(database_away_, true)) {
        logging::warning("records wait for the database", done.error());
        report(health::Status::degraded, "records wait for the database");
    }
    next_step_ = now + database_backoff_.next();
}

void Dispatcher::pace() {
    const bool enough = parts_.work.queue.full() || parts_.completer.stalled() || database_away_ ||
                        desk_.waiting() >= kMostWaiting;
    parts_.work.metrics.in_flight.set(static_cast<double>(parts_.work.in_flight.size()));
    parts_.work.metrics.running.set(static_cast<double>(parts_.work.runs.size()));
    parts_.work.metrics.channel_depth.set(static_cast<double>(parts_.work.queue.depth()));
    if (enough == paused_ || assigned_.empty()) {
        return;
    }
    const auto answered = enough ? consumer_->pause(assigned_) : consumer_->resume(assigned_);
    if (!answered) {
        return;  // tried again in the next turn
    }
    paused_ = enough;
    if (enough) {
        parts_.work.metrics.pauses.increment();
    }
}

void Dispatcher::commit_soon() {
    const auto now = context().clock.steady_now();
    if (now < next_commit_) {
        return;
    }
    next_commit_ = now + kCommitEvery;
    const auto offsets = parts_.work.book.take_commits();
    if (!offsets.empty() && !consumer_->commit_async(offsets)) {
        parts_.work.book.commit_failed(offsets);
    }
}

void Dispatcher::stop_all() {
    auto& clock = context().clock;
    parts_.work.stopping = true;
    const auto in_handler = [](const Run& run) { return !run.handler_ended; };
    auto left = parts_.work.runs.wait_until_none(in_handler, Deadline::after(kLetFinish, clock));
    if (!left.empty()) {
        for (const auto& run : left) {
            run->stop.request_stop();
        }
        left = parts_.work.runs.wait_until_none(in_handler, Deadline::after(kAfterAsking, clock));
        for (const auto& run : left) {
            logging::warning("a handler does not stop when asked to",
                             {{"job", run->task.job.id}, {"type", run->task.job.type}});
        }
    }
    beat();
    const bool clean = parts_.completer.flush(Deadline::after(kLastFlush, clock)) && left.empty();
    const auto sources = parts_.work.book.sources();
    parts_.work.book.drain(sources);
    if (const auto offsets = parts_.work.book.take_commits(); !offsets.empty()) {
        if (const auto done = consumer_->commit(offsets, Deadline::after(kClose, clock)); !done) {
            logging::warning("the last offsets were not committed", done.error());
        }
    }
    if (clean && !sources.empty()) {
        static_cast<void>(parts_.partitions.release(sources, Deadline::after(kClose, clock)));
    }
    if (const auto closed = consumer_->close(Deadline::after(kClose, clock)); !closed) {
        logging::warning("the consumer group was not left in time", closed.error());
    }
    parts_.work.queue.close();
    executors_.clear();
}

}  // namespace gantry::worker
