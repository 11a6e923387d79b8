#include "runner.hpp"

#include "gantry/base/backoff.hpp"
#include "gantry/base/units.hpp"
#include "gantry/logging/log.hpp"
#include "gantry/tracing/span.hpp"

#include <utility>

namespace gantry::worker {
namespace {

using jobs::Applied;
using jobs::Completion;
using jobs::Ending;
using jobs::Outcome;

constexpr milliseconds kWriteLimit{10'000};
constexpr int kEffectTries = 5;

bool counts(Ending ending) {
    return ending != Ending::snoozed && ending != Ending::handed_back;
}

/// What the handler meant, seen in the light of why it was told to stop.
Outcome judge(Outcome outcome, const Run& run, bool stopping) {
    const bool gave_up =
        outcome.ending() == Ending::handed_back ||
        (outcome.ending() == Ending::retrying && outcome.error().code == Code::cancelled);
    if (!gave_up) {
        return outcome;
    }
    if (run.timed_out) {
        return Outcome::retry(Error{Code::deadline_exceeded,
                                    "timed out after " + format_duration(run.task.job.timeout),
                                    "TIMEOUT",
                                    {}});
    }
    return stopping || run.stop.stop_requested() ? Outcome::hand_back() : outcome;
}

/// True for what the database says of itself, whatever it was asked: its reason is ours or one of
/// its SQLSTATEs.
bool is_outage(const Error& error) {
    constexpr std::size_t kSqlState = 5;
    return error.code == Code::unknown || error.reason == "DATABASE_UNAVAILABLE" ||
           (error.code == Code::unavailable && error.reason.size() == kSqlState);
}

/// The hook of a type's death. Whatever it does wrong, the job is dead.
jobs::Effects death_effects(const jobs::DeathHook& hook, const jobs::Runnable& job) {
    return [&hook, &job](postgres::Transaction& transaction) -> Result<void> {
        auto done = transaction.nested([&]() -> Result<void> {
            try {
                return hook(transaction, job);
            } catch (const std::exception&) {
                return fail(Code::internal, "the hook threw an exception");
            }
        });
        if (!done && is_outage(done.error())) {
            return done;
        }
        if (!done) {
            logging::error("a job's death hook failed", done.error(), {{"job", job.id}});
        }
        return {};
    };
}

/// The run's span, in the trace of who enqueued the job.
tracing::Span span_of(const jobs::Runnable& job) {
    tracing::Span span(
        "run " + job.type, tracing::SpanKind::consumer,
        tracing::parse_traceparent(job.traceparent).value_or(tracing::TraceContext{}));
    if (span.recorded()) {
        span.set("gantry.job.id", job.id.to_string());
        span.set("gantry.job.type", job.type);
        span.set("gantry.queue", job.queue);
        span.set("gantry.job.attempt", job.attempt + 1);
    }
    return span;
}

void note_outcome(tracing::Span& span, const Outcome& outcome) {
    if (outcome.ending() == Ending::retrying || outcome.ending() == Ending::dead) {
        span.fail(outcome.error().code);
    }
}

jobs::Effects all_of(std::vector<jobs::Effects> effects) {
    return [effects = std::move(effects)](postgres::Transaction& transaction) -> Result<void> {
        for (const auto& effect : effects) {
            TRY(effect(transaction));
        }
        return {};
    };
}

}  // namespace

void Runner::run(Task task) {
    // Listed before it is asked: whoever drains or stops finds the run, or keeps it from starting.
    const auto run = work_.runs.start(std::move(task), clock_);
    if (work_.stopping || !work_.book.active(run->task.source)) {
        // Another owner of the partition gets it with the record.
        work_.runs.finish(*run);
        work_.end(run->task, Work::Record::kept);
        return;
    }
    const auto& job = run->task.job;
    auto span = span_of(job);
    const tracing::ScopedTrace scope(span.context());
    const auto* entry = handlers_.find(job.type);
    work_.metrics.started(job, run->started_at);
    auto ended = call_handler(entry, *run);
    work_.metrics.ran(job, clock_.steady_now() - run->started);
    work_.runs.handler_ended(*run);
    note_outcome(span, ended.outcome);
    span.end();
    write(run, std::move(ended), entry);
}

Runner::Ended Runner::call_handler(const jobs::Registry::Entry* entry, Run& run) {
    const auto& job = run.task.job;
    if (job.expired) {
        return {Outcome::cancelled("expired"), {}};
    }
    if (entry == nullptr) {
        // Another release may know it: tried again by policy.
        return {Outcome::retry(Error{Code::unimplemented,
                                     "this worker has no handler for type " + job.type,
                                     "NO_HANDLER",
                                     {}}),
                {}};
    }
    jobs::JobContext context(job, Deadline{run.deadline}, run.stop.get_token(), tracing::current());
    auto outcome = [&] {
        try {
            return entry->handler(context);
        } catch (const std::exception&) {
            // What it says could hold data of the job.
            return Outcome::retry(
                Error{Code::internal, "the handler threw an exception", "EXCEPTION", {}});
        } catch (...) {
            return Outcome::retry(
                Error{Code::internal, "the handler threw an exception", "EXCEPTION", {}});
        }
    }();
    auto produced = std::move(context).take();
    if (outcome.ending() == Ending::succeeded && produced.fault) {
        outcome = Outcome::dead(*produced.fault, "bad_result");
    }
    return {judge(std::move(outcome), run, work_.stopping), std::move(produced)};
}

Completion Runner::completion_of(const Run& run, Ended& ended) const {
    const auto& job = run.task.job;
    const auto& outcome = ended.outcome;
    Completion completion;
    completion.job = job.id;
    completion.dispatch = job.dispatch;
    completion.source = run.task.source;
    completion.ending = outcome.ending();
    completion.attempt = job.attempt + (counts(outcome.ending()) && !job.expired ? 1 : 0);
    completion.started_at = run.started_at;
    completion.reason = outcome.reason();
    switch (outcome.ending()) {
        case Ending::succeeded:
            completion.result = std::move(ended.produced.result);
            completion.result_content_type = std::move(ended.produced.result_content_type);
            break;
        case Ending::retrying:
            completion.error = jobs::storable_error(outcome.error().message);
            completion.delay = job.retry.delay(completion.attempt);
            if (completion.attempt >= job.max_attempts) {
                completion.ending = Ending::dead;
                completion.reason =
                    outcome.error().reason == "NO_HANDLER" ? "no_handler" : "attempts_exhausted";
            }
            break;
        case Ending::dead:
            completion.error = jobs::storable_error(outcome.error().message);
            break;
        case Ending::cancelled:
            completion.error = jobs::storable_error(outcome.reason());
            break;
        case Ending::snoozed:
            completion.delay = outcome.delay();
            break;
        case Ending::handed_back:
            break;
    }
    return completion;
}

void Runner::write(const std::shared_ptr<Run>& run, Ended ended,
                   const jobs::Registry::Entry* entry) {
    auto completion = completion_of(*run, ended);
    if (completion.ending == Ending::succeeded && !ended.produced.effects.empty()) {
        auto failed = write_with(run, completion, all_of(std::move(ended.produced.effects)));
        if (!failed) {
            return;
        }
        // As if the handler itself had failed with it.
        ended = {Outcome::of(std::unexpected(*std::move(failed))), {}};
        completion = completion_of(*run, ended);
    }
    if (completion.ending == Ending::dead && entry != nullptr && entry->on_dead) {
        if (!write_with(run, completion, death_effects(entry->on_dead, run->task.job))) {
            return;
        }
    }
    const auto ending = completion.ending;
    completer_.complete(std::move(completion),
                        [this, run, ending](Applied applied) { settle(*run, ending, applied); });
}

std::optional<Error> Runner::write_with(const std::shared_ptr<Run>& run,
                                        const Completion& completion,
                                        const jobs::Effects& effects) {
    Backoff backoff({milliseconds{20}, milliseconds{2'000}, milliseconds{5}});
    int effect_failures = 0;
    while (true) {
        bool effects_failed = false;
        auto written = completions_.complete_with(
            completion, effects, Deadline::after(kWriteLimit, clock_), effects_failed);
        if (written) {
            settle(*run, completion.ending, *written);
            return std::nullopt;
        }
        // An outage is nobody's failure, and an unclear commit that got through is refused by the
        // fence when it is repeated.
        const auto& error = written.error();
        const bool outage = is_outage(error) || (!effects_failed && !jobs::refuses_content(error));
        const bool collision =
            effects_failed && error.transient() && ++effect_failures < kEffectTries;
        if (!outage && !collision) {
            return error;
        }
        if (work_.stopping && outage) {
            // The record, or the lease's end, brings it back.
            settle(*run, completion.ending, Applied::unwritten);
            return std::nullopt;
        }
        clock_.sleep_for(backoff.next(), {});  // a stop shows within two seconds
    }
}

void Runner::settle(const Run& run, Ending ending, Applied applied) {
    if (applied == Applied::done) {
        work_.metrics.finished(run.task.job, ending);
    }
    // Refused: the job has moved on, and this record has no more to say; or its partition is
    // another's, and then the book does not know the source any more. Unwritten: the record is all
    // that brings the job back.
    work_.runs.finish(run);
    work_.end(run.task, applied == Applied::unwritten ? Work::Record::kept : Work::Record::done);
}

}  // namespace gantry::worker
