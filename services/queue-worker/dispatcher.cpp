#include "dispatcher.hpp"

#include "gantry/logging/log.hpp"
#include "gantry/tracing/trace.hpp"
#include "lease_keeper.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace gantry::worker {
namespace {

constexpr milliseconds kIdleWait{100};
constexpr milliseconds kBusyWait{2};
constexpr milliseconds kFullWait{5};
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
constexpr milliseconds kStop{8'000};  // all of it together, well within the host's limit
// Records before their check, and wake-ups that wait for a key or an older copy.
constexpr std::size_t kMostWaiting = 1'000;
constexpr std::size_t kMostInside = 2'000;

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
    try {
        while (!stop.stop_requested()) {
            turn();
        }
    } catch (...) {
        stop_all();
        throw;
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
    pace();
    if (full()) {
        parts_.work.queue.wait_for_taker(kFullWait);
        handle(consumer_->poll(milliseconds{0}));
    } else if (paused_) {
        handle(consumer_->poll(database_away_ ? kIdleWait : kFullWait));
    } else {
        read();
    }
    claim();
    work_off();
    commit_soon();
}

void Dispatcher::read() {
    // A whole batch of what is there, so that one query checks it.
    auto event = consumer_->poll(patience());
    for (std::size_t taken = 1;; ++taken) {
        const bool record = std::holds_alternative<kafka::Message>(event);
        handle(std::move(event));
        if (!record || taken >= RecordDesk::kBatch) {
            return;
        }
        event = consumer_->poll(milliseconds{0});
    }
}

milliseconds Dispatcher::patience() {
    const bool soon = desk_.waiting() > 0 || parts_.work.in_flight.waiting() > 0;
    return soon ? kBusyWait : kIdleWait;
}

void Dispatcher::handle(kafka::Event event) {
    if (const auto* record = std::get_if<kafka::Message>(&event)) {
        take(*record);
    } else if (auto* given = std::get_if<kafka::Assigned>(&event)) {
        accept(std::move(given->partitions));
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

void Dispatcher::accept(std::vector<kafka::TopicPartition> partitions) {
    // At once, although the epochs are not raised yet: a member that keeps the group waiting holds
    // up everybody's next rebalance. Nothing is read before `claim`.
    if (const auto answered = consumer_->assign(partitions); !answered) {
        logging::warning("the assignment was not taken", answered.error());
        return;
    }
    assigned_ = std::move(partitions);
    claim_due_ = true;
    next_step_ = {};
}

void Dispatcher::claim() {
    if (!claim_due_ || context().clock.steady_now() < next_step_) {
        return;
    }
    std::vector<std::pair<std::string, std::int32_t>> places;
    for (const auto& one : assigned_) {
        places.emplace_back(one.topic, one.partition);
    }
    const auto claimed = parts_.partitions.claim(places, parts_.options.worker.concurrency,
                                                 Deadline::after(kDatabaseLimit, context().clock));
    if (!claimed) {
        next_step_ = context().clock.steady_now() + database_backoff_.next();
        if (!std::exchange(database_away_, true)) {
            logging::warning("partitions wait for the database", claimed.error());
        }
        show();
        return;
    }
    database_backoff_.reset();
    claim_due_ = false;
    parts_.work.book.open(*claimed);
    logging::info("took partitions", {{"partitions", assigned_.size()}});
    show();
}

void Dispatcher::give_back(const kafka::Revoked& revoked) {
    claim_due_ = false;
    // Eager protocol: all of them go at once.
    const auto sources = parts_.work.book.sources();
    parts_.work.book.drain(sources);
    bool clean = false;
    if (!revoked.lost && !sources.empty()) {
        clean = finish_or_lease(sources);
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
    if (clean) {
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
    logging::info("gave partitions back",
                  {{"partitions", sources.size()}, {"lost", revoked.lost}, {"clean", clean}});
    show();
}

bool Dispatcher::finish_or_lease(const std::vector<jobs::Source>& sources) {
    auto& clock = context().clock;
    const auto holds_offset = [&](const Run& run) {
        return run.lease != Run::Lease::held && is_of(run.task.source, sources);
    };
    for (const auto& run :
         parts_.work.runs.wait_until_none(holds_offset, Deadline::after(kDrain, clock))) {
        if (!run->handler_ended) {
            request_lease(parts_.work, parts_.completer, run);
        }
    }
    const auto flushed = Deadline::after(kFlush, clock);
    return parts_.completer.flush(flushed) &&
           parts_.work.runs.wait_until_none(holds_offset, flushed).empty();
}

void Dispatcher::work_off() {
    const auto now = context().clock.steady_now();
    if (now < next_step_ || claim_due_) {
        return;
    }
    const auto done = desk_.step();
    if (done) {
        if (std::exchange(database_away_, false)) {
            logging::info("no record waits for the database any more");
            show();
        }
        database_backoff_.reset();
        return;
    }
    if (!std::exchange(database_away_, true)) {
        logging::warning("records wait for the database", done.error());
        show();
    }
    next_step_ = now + database_backoff_.next();
}

void Dispatcher::show() {
    if (database_away_) {
        report(health::Status::degraded, "waiting for the database");
    } else if (assigned_.empty()) {
        report(health::Status::degraded, "has no partitions");
    } else {
        report(health::Status::healthy, "has " + std::to_string(assigned_.size()) + " partitions");
    }
}

bool Dispatcher::full() const {
    const auto& work = parts_.work;
    return work.queue.full() || work.bytes() >= RecordDesk::kMostBytes ||
           work.in_flight.size() >= kMostInside + work.queue.capacity();
}

void Dispatcher::pace() {
    auto& work = parts_.work;
    work.metrics.in_flight.set(static_cast<double>(work.in_flight.size()));
    work.metrics.running.set(static_cast<double>(work.runs.size()));
    const bool hold = claim_due_ || database_away_ || parts_.completer.stalled() ||
                      desk_.waiting() >= kMostWaiting || full();
    if (hold == paused_) {
        return;
    }
    paused_ = hold;
    if (!hold) {
        consumer_->resume();
        return;
    }
    consumer_->pause();
    if (!claim_due_) {
        work.metrics.pauses.increment();
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
    const auto end = Deadline::after(kStop, clock);
    const auto within = [&](milliseconds limit) {
        return Deadline::after(limit, clock).earlier(end);
    };
    parts_.work.stopping = true;
    const auto in_handler = [](const Run& run) { return !run.handler_ended; };
    auto left = parts_.work.runs.wait_until_none(in_handler, within(kLetFinish));
    if (!left.empty()) {
        for (const auto& run : left) {
            run->stop.request_stop();
        }
        left = parts_.work.runs.wait_until_none(in_handler, within(kAfterAsking));
        for (const auto& run : left) {
            const tracing::ScopedTrace scope(tracing::parse_traceparent(run->task.job.traceparent)
                                                 .value_or(tracing::TraceContext{}));
            logging::warning("a handler does not stop when asked to",
                             {{"job", run->task.job.id}, {"type", run->task.job.type}});
        }
    }
    beat();
    const auto flushed = within(kLastFlush);
    const bool clean =
        parts_.completer.flush(flushed) &&
        parts_.work.runs.wait_until_none([](const Run&) { return true; }, flushed).empty();
    const auto sources = parts_.work.book.sources();
    parts_.work.book.drain(sources);
    if (const auto offsets = parts_.work.book.take_commits(); !offsets.empty()) {
        if (const auto done = consumer_->commit(offsets, within(kClose)); !done) {
            logging::warning("the last offsets were not committed", done.error());
        }
    }
    if (clean && !sources.empty()) {
        static_cast<void>(parts_.partitions.release(sources, within(kClose)));
    }
    if (const auto closed = consumer_->close(within(kClose)); !closed) {
        logging::warning("the consumer group was not left in time", closed.error());
    }
    parts_.work.queue.close();
    executors_.clear();
}

}  // namespace gantry::worker
