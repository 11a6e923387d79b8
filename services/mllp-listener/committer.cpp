#include "committer.hpp"

#include "gantry/hl7/acknowledgement.hpp"
#include "gantry/hosting/channel_meter.hpp"
#include "gantry/logging/log.hpp"
#include "gantry/tracing/span.hpp"

#include <pthread.h>
#include <algorithm>
#include <exception>
#include <utility>

namespace gantry::mllp {
namespace {

using namespace std::chrono_literals;

constexpr auto kIdleBeat = 1s;
constexpr Backoff::Limits kStoreBackoff{100ms, 2'000ms, 20ms};

// Also the thread's, so within its fifteen characters.
std::string lane_name(int index) {
    return "hl7-commit-" + std::to_string(index);
}

tracing::TraceContext trace_of(const NewMessage& message) {
    return tracing::parse_traceparent(message.traceparent).value_or(tracing::TraceContext{});
}

/// The span of a message, from its receipt to its answer: the root of its trace.
void tell(const NewMessage& message, const tracing::TraceContext& trace, std::string_view label,
          std::string_view ack_code) {
    auto span = tracing::Span::of("receive HL7", tracing::SpanKind::server, trace);
    if (span.recorded()) {
        span.started_at(message.received_at);
        span.set("gantry.hl7.code", label);
        span.set("gantry.hl7.ack", ack_code);
        span.set("gantry.hl7.message_id", message.id.to_string());
    }
}

const NewMessage& message_of(const Work& work) {
    return std::get<NewMessage>(work.item);
}

}  // namespace

std::size_t Work::bytes() const {
    const auto* message = std::get_if<NewMessage>(&item);
    return message != nullptr ? message->raw.size() : std::get<Quarantined>(item).bytes.size();
}

Committer::Committer(const Options& options, hosting::Context& context, MessageStore& store,
                     const Intake& intake, ListenerMetrics& metrics)
    : batch_size_(static_cast<std::size_t>(options.batch_size)),
      batch_bytes_(static_cast<std::size_t>(options.batch_bytes.bytes)),
      capacity_(static_cast<std::size_t>(options.queue_capacity)),
      store_wait_(options.store_wait),
      context_(&context),
      store_(&store),
      intake_(&intake),
      metrics_(&metrics),
      reporter_(&context.health.reporter("mllp-store", false)) {
    for (int i = 0; i < options.committers; ++i) {
        lanes_.push_back(std::make_unique<Lane>(
            capacity_, hosting::channel_meter(context.metrics, lane_name(i))));
    }
}

Committer::~Committer() {
    for (auto& lane : lanes_) {
        lane->queue.close();
        lane->thread.request_stop();
    }
}

Result<void> Committer::start(std::stop_token /*aborted*/) {
    reporter_->report(health::Status::healthy);
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        auto& lane = *lanes_[i];
        const auto name = lane_name(static_cast<int>(i));
        lane.heartbeat = context_->watchdog.watch(name);
        lane.thread = std::jthread([this, &lane, name](std::stop_token stop) {
            pthread_setname_np(pthread_self(), name.c_str());
            try {
                run(lane, std::move(stop));
            } catch (const std::exception&) {
                // Such as no memory. What it says could hold data.
                context_->lifetime.fault(
                    name, Error{Code::internal, "unexpected exception in a committer", {}, {}});
            }
            lane.heartbeat->pause();
        });
    }
    return {};
}

Result<void> Committer::stop(Deadline limit) {
    for (auto& lane : lanes_) {
        lane->queue.close();
    }
    // Past the limit what still waits is given up: without an answer it will be sent again.
    const std::jthread guard([this, limit](std::stop_token done) {
        if (context_->clock.sleep_until(limit.at() - 500ms, std::move(done))) {
            for (auto& lane : lanes_) {
                lane->thread.request_stop();
            }
        }
    });
    for (auto& lane : lanes_) {
        if (lane->thread.joinable()) {
            lane->thread.join();
        }
    }
    return {};
}

bool Committer::has_room(std::uint64_t connection) const {
    return lanes_[connection % lanes_.size()]->queue.depth() < capacity_;
}

bool Committer::submit(Work work) {
    auto& queue = lanes_[work.connection % lanes_.size()]->queue;
    return queue.try_write(std::make_unique<Work>(std::move(work))) ==
           channel::WriteOutcome::written;
}

void Committer::run(Lane& lane, std::stop_token stop) {
    while (true) {
        lane.heartbeat->beat();
        auto batch =
            lane.queue.read_many(batch_size_, stop, Deadline::after(kIdleBeat, context_->clock));
        if (batch) {
            commit(lane, std::move(*batch), stop);
        } else if (batch.error() == channel::ReadEnd::closed ||
                   batch.error() == channel::ReadEnd::cancelled) {
            return;
        } else if (!store_up()) {
            probe_store();
        }
    }
}

void Committer::commit(Lane& lane, Batch batch, std::stop_token stop) {
    std::vector<Completion> completions;
    completions.reserve(batch.size());
    std::vector<const Quarantined*> quarantined;
    Works messages;
    std::size_t bytes = 0;
    for (const auto& work : batch) {
        const auto size = work->bytes();
        if (const auto* item = std::get_if<Quarantined>(&work->item)) {
            quarantined.push_back(item);
            completions.push_back({work->connection, work->sequence, size, std::nullopt});
            continue;
        }
        if (bytes + size > batch_bytes_ && !messages.empty()) {
            store_messages(lane, std::exchange(messages, {}), stop, completions);
            bytes = 0;
        }
        bytes += size;
        messages.push_back(work.get());
    }
    store_messages(lane, std::move(messages), stop, completions);
    quarantine(quarantined);
    events_.completed(std::move(completions));
}

void Committer::store_messages(Lane& lane, Works works, std::stop_token stop,
                               std::vector<Completion>& completions) {
    Backoff backoff(kStoreBackoff);
    for (bool go_on = true;;) {
        close_hopeless(works, go_on, completions);
        if (works.empty()) {
            return;
        }
        lane.heartbeat->beat();
        auto stored = attempt(works);
        if (stored) {
            set_store_up(true);
            for (std::size_t i = 0; i < works.size(); ++i) {
                completions.push_back(accept(*works[i], std::move((*stored)[i])));
            }
            return;
        }
        if (stored.error().code == Code::unknown) {
            // Perhaps they are stored, perhaps not. Sent again they are found or stored then.
            logging::error("commit outcome unknown; closing connections without an answer",
                           stored.error(), {{"messages", works.size()}});
            for (const auto* work : works) {
                completions.push_back(close(*work, "commit_unknown"));
            }
            return;
        }
        if (!stored.error().transient() && store_->rehearse(intake_->sample())) {
            // The store works, so something in the batch is at fault.
            if (works.size() == 1) {
                refuse(*works.front(), stored.error(), completions);
                return;
            }
            const auto middle = works.begin() + static_cast<std::ptrdiff_t>(works.size() / 2);
            store_messages(lane, {works.begin(), middle}, stop, completions);
            store_messages(lane, {middle, works.end()}, stop, completions);
            return;
        }
        go_on = wait_for_store(lane, stored.error(), backoff, stop);
    }
}

Result<std::vector<Stored>> Committer::attempt(const Works& works) {
    std::vector<const NewMessage*> batch;
    batch.reserve(works.size());
    for (const auto* work : works) {
        batch.push_back(&message_of(*work));
    }
    const auto began = context_->clock.steady_now();
    auto stored = store_->store(batch);
    if (stored) {
        const auto took = context_->clock.steady_now() - began;
        metrics_->commit_seconds.observe(std::chrono::duration<double>(took).count());
        metrics_->batch_messages.observe(static_cast<double>(works.size()));
    }
    return stored;
}

// Takes out what is not to be stored any more.
void Committer::close_hopeless(Works& works, bool go_on, std::vector<Completion>& completions) {
    const auto now = context_->clock.steady_now();
    const bool up = store_up();
    std::erase_if(works, [&](const Work* work) {
        std::string_view reason;
        if (work->gave_up->load()) {
            reason = "behind_unanswered";
        } else if (!go_on || (!up && now - work->received >= store_wait_)) {
            reason = "store_away";
        } else {
            return false;
        }
        completions.push_back(close(*work, reason));
        return true;
    });
}

void Committer::refuse(const Work& work, const Error& error, std::vector<Completion>& completions) {
    const auto& message = message_of(work);
    const auto trace = trace_of(message);
    const tracing::ScopedTrace scope(trace);
    logging::error("a message cannot be stored", error,
                   {{"message_id", message.id}, {"size", message.raw.size()}});
    const auto entry = Intake::quarantine(message);
    const Quarantined* const item = &entry;
    quarantine({&item, 1});
    auto decision = intake_->refuse(message);
    const auto label = intake_->code_label(message.message_code);
    tell(message, trace, label, decision.answer_code);
    metrics_->answered(label, decision.answer_code);
    completions.push_back(
        {work.connection, work.sequence, work.bytes(), std::move(decision.answer)});
}

void Committer::quarantine(std::span<const Quarantined* const> items) {
    if (items.empty()) {
        return;
    }
    for (const auto* item : items) {
        metrics_->quarantined(item->reason);
    }
    // A line for all of them, for a peer could send many.
    logging::warning("frames quarantined", {{"entries", items.size()},
                                            {"first_quarantine_id", items.front()->id},
                                            {"first_reason", items.front()->reason},
                                            {"first_size", items.front()->size}});
    // Nobody was promised that these are kept, so a store that is away is not waited for.
    if (auto kept = store_->quarantine(items); !kept) {
        metrics_->quarantine_lost.increment(static_cast<double>(items.size()));
        logging::error("quarantine entries could not be written", kept.error(),
                       {{"entries", items.size()}});
    }
}

// Waits a little before the next attempt; false when it was asked to stop.
bool Committer::wait_for_store(Lane& lane, const Error& error, Backoff& backoff,
                               std::stop_token stop) {
    if (store_up()) {
        logging::warning("the store is away; reading stops", error);
    }
    set_store_up(false);
    lane.heartbeat->beat();
    return context_->clock.sleep_for(backoff.next(), std::move(stop));
}

void Committer::probe_store() {
    if (store_->rehearse(intake_->sample())) {
        set_store_up(true);
    }
}

void Committer::set_store_up(bool up) {
    const std::lock_guard lock(store_changed_mutex_);
    if (store_up_.exchange(up) == up) {
        return;
    }
    metrics_->store_up.set(up ? 1 : 0);
    reporter_->report(up ? health::Status::healthy : health::Status::unhealthy,
                      up ? "" : "the database does not take messages");
    if (up) {
        logging::info("the store is back; reading goes on");
    }
    events_.store_changed(up);
}

Completion Committer::accept(const Work& work, Stored stored) {
    const auto& message = message_of(work);
    if (stored.duplicate) {
        metrics_->duplicates.increment();
    }
    const auto label = intake_->code_label(message.message_code);
    tell(message, trace_of(message), label, message.ack_code);
    metrics_->stored(message.facility);
    metrics_->answered(label, message.ack_code);
    const auto kind = stored.ack.empty() ? Answer::Kind::none : Answer::Kind::bytes;
    return {work.connection, work.sequence, work.bytes(), Answer{kind, std::move(stored.ack)}};
}

Completion Committer::close(const Work& work, std::string_view reason) {
    work.gave_up->store(true);
    metrics_->closed_unanswered(reason);
    return {work.connection, work.sequence, work.bytes(), Answer{Answer::Kind::close, {}}};
}

}  // namespace gantry::mllp
