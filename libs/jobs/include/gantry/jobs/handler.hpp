#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"
#include "gantry/jobs/completion.hpp"
#include "gantry/jobs/dispatch.hpp"
#include "gantry/tracing/trace.hpp"

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::jobs {

/// How a handler says a try ended.
class Outcome {
public:
    /// Done.
    static Outcome success() { return Outcome(Ending::succeeded); }

    /// Failed; to be tried again by the queue's policy, and dead after the last attempt. The
    /// error's message is stored and shown: no payload, no personal data.
    static Outcome retry(Error error) {
        Outcome outcome(Ending::retrying);
        outcome.error_ = std::move(error);
        return outcome;
    }

    /// Failed for good: no further try would go better. `reason` is one snake_case word.
    static Outcome dead(Error error, std::string reason = "rejected") {
        Outcome outcome(Ending::dead);
        outcome.error_ = std::move(error);
        outcome.reason_ = std::move(reason);
        return outcome;
    }

    /// Not yet: to run again after `delay`, without using an attempt.
    static Outcome snooze(milliseconds delay) {
        Outcome outcome(Ending::snoozed);
        outcome.delay_ = delay;
        return outcome;
    }

    /// Needless now: ends without success or failure.
    static Outcome cancelled(std::string reason = "cancelled") {
        Outcome outcome(Ending::cancelled);
        outcome.reason_ = std::move(reason);
        return outcome;
    }

    /// Not finished because the process stops: another one runs it, without using an attempt.
    static Outcome hand_back() { return Outcome(Ending::handed_back); }

    /// Success, or the error as one to try again; `invalid_argument`, `not_found` and other errors
    /// that no repeat can mend are dead at once.
    static Outcome of(Result<void> result);

    [[nodiscard]] Ending ending() const { return ending_; }
    [[nodiscard]] const Error& error() const { return error_; }
    [[nodiscard]] const std::string& reason() const { return reason_; }
    [[nodiscard]] milliseconds delay() const { return delay_; }

private:
    explicit Outcome(Ending ending) : ending_(ending) {}
    Ending ending_;
    Error error_;
    std::string reason_;
    milliseconds delay_{0};
};

/// What a handler knows of the job it runs. Used by the handler's thread only.
class JobContext {
public:
    JobContext(const Runnable& job, Deadline deadline, std::stop_token stop,
               tracing::TraceContext trace)
        : job_(job), deadline_(deadline), stop_(std::move(stop)), trace_(trace) {}
    JobContext(const JobContext&) = delete;
    JobContext& operator=(const JobContext&) = delete;

    [[nodiscard]] const Uuid& id() const { return job_.id; }
    [[nodiscard]] const std::string& queue() const { return job_.queue; }
    [[nodiscard]] const std::string& type() const { return job_.type; }
    [[nodiscard]] const std::string& key() const { return job_.key; }
    [[nodiscard]] std::string_view payload() const { return job_.payload; }
    [[nodiscard]] const std::string& content_type() const { return job_.content_type; }
    /// Which try this is, from 1.
    [[nodiscard]] int attempt() const { return job_.attempt + 1; }
    [[nodiscard]] int max_attempts() const { return job_.max_attempts; }
    /// When the try has to be over.
    [[nodiscard]] Deadline deadline() const { return deadline_; }
    /// Fires at the deadline, when the process stops, and when another worker has the job now.
    [[nodiscard]] const std::stop_token& stop() const { return stop_; }
    /// The try's span; also the thread's current one.
    [[nodiscard]] const tracing::TraceContext& trace() const { return trace_; }

    /// Keeps `bytes` as the job's result if the try succeeds; at most 1 MiB, else the try fails.
    void result(std::string bytes, std::string content_type = "application/octet-stream");

    /// Runs `effects` in the transaction that writes the job's success, after the handler returned:
    /// they commit exactly once, together with it, or not at all. An error of theirs undoes both
    /// and is the try's failure. Several run in the order of their registration. They must not
    /// depend on the context, nor on anything of the handler's stack.
    void transaction(Effects effects) { effects_.push_back(std::move(effects)); }

    // For the worker.
    struct Produced {
        std::optional<std::string> result;
        std::string result_content_type;
        std::vector<Effects> effects;
        std::optional<Error> fault;  ///< The result is not storable.
    };
    Produced take() &&;

private:
    // Constant after construction.
    const Runnable& job_;
    Deadline deadline_;
    std::stop_token stop_;
    tracing::TraceContext trace_;
    // Used by the handler's thread.
    std::optional<std::string> result_;
    std::string result_content_type_;
    std::vector<Effects> effects_;
    std::optional<Error> fault_;
};

/// Runs one try of a job. It may block; it should return soon after `context.stop()` fires. An
/// exception is a failure that is tried again.
using Handler = std::function<Outcome(JobContext& context)>;

/// Runs in the transaction in which a job of the type becomes dead; an error or exception of its
/// own is logged and undone, and the job is dead all the same.
using DeathHook = std::function<Result<void>(postgres::Transaction&, const Runnable& job)>;

/// The handlers of a worker by job type. Filled at start-up, then read only.
class Registry {
public:
    struct Entry {
        Handler handler;
        DeathHook on_dead;
    };

    /// A type is added once; a second time ends the process, for it is a broken invariant.
    Registry& add(std::string type, Handler handler, DeathHook on_dead = {});

    /// The type's entry; null if there is none.
    [[nodiscard]] const Entry* find(std::string_view type) const;
    /// The type as a metric's label: itself if it is registered, else `other`.
    [[nodiscard]] std::string label(std::string_view type) const;
    [[nodiscard]] std::vector<std::string> types() const;

private:
    std::map<std::string, Entry, std::less<>> entries_;
};

/// `text` made fit to be stored as an error: UTF-8 without NUL and at most 1000 bytes.
std::string storable_error(std::string_view text);

}  // namespace gantry::jobs
