#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"
#include "gantry/health/heartbeat.hpp"
#include "gantry/tracing/span.hpp"
#include "gantry/tracing/trace.hpp"

#include <concepts>
#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>
#include <utility>

namespace gantry::hosting {

/// Something that one message or call opens when it first needs it, and that ends with it whole or
/// not at all: a transaction of a database, say. Used by one thread.
class Unit {
public:
    virtual ~Unit() = default;
    /// Makes what was done last. Called at most once.
    virtual Result<void> commit() = 0;
    /// Undoes what was done. Called at most once, and not after a commit.
    virtual void rollback() noexcept = 0;
};

/// What belongs to one message or call: until when it may take, who stops it, which trace it is
/// part of, and its unit, which is opened when first asked for and rolled back unless committed.
///
/// It lives on the stack of the thread that handles the message; while it lives, that thread's logs
/// show its trace. Made by dispatchers only: `QueueWorker`, `CronWorker`, `TcpServer`, or a
/// service's own loop:
///
/// ```
/// Scope scope(clock, {.name = "hl7.store", .deadline = deadline, .stop = stop, .trace = trace});
/// const Result<void> stored = scope.run([&](Scope& scope) { return store(message, scope); });
/// ```
class Scope {
public:
    struct Options {
        std::string_view name = "scope";  ///< Of its span; it lives as long as the scope.
        tracing::SpanKind kind = tracing::SpanKind::internal;
        Deadline deadline = Deadline::never();
        std::stop_token stop = {};
        /// The context that came with the message; an empty one begins a trace.
        tracing::TraceContext trace = {};
        /// Of the loop that runs the handler; may be null.
        std::shared_ptr<health::Heartbeat> heartbeat = {};
    };

    Scope(Clock& clock, Options options);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

    [[nodiscard]] Clock& clock() const { return clock_; }
    [[nodiscard]] Deadline deadline() const { return options_.deadline; }
    [[nodiscard]] const std::stop_token& stop() const { return options_.stop; }
    /// The context of this scope's own span, for what it sends on.
    [[nodiscard]] const tracing::TraceContext& trace() const { return span_.context(); }
    /// For attributes.
    [[nodiscard]] tracing::Span& span() { return span_; }

    /// What every dispatcher does: runs `body` and commits if it succeeds; if not, rolls back and
    /// marks the span. What `body` throws becomes an error that has its type and not its text.
    Result<void> run(const std::function<Result<void>(Scope&)>& body);

    /// `cancelled` or `deadline_exceeded` when the work should not go on.
    [[nodiscard]] Result<void> check() const;

    /// Tells the watchdog that a long handler lives: at least every few seconds.
    void beat() const;

    /// The unit, opened with `make` (which returns `Result<std::unique_ptr<U>>`) when first asked
    /// for. The scope owns it. A failed `make` may be tried again. `failed_precondition` once the
    /// scope was committed or rolled back; `internal` where another type of unit is open, since two
    /// could not be committed as one.
    template <std::derived_from<Unit> U, class Make>
    Result<U*> unit(Make&& make) {
        TRY(may_open());
        if (!unit_) {
            unit_ = TRY(std::forward<Make>(make)());
        }
        auto* const found = dynamic_cast<U*>(unit_.get());
        if (found == nullptr) {
            return fail(Code::internal, "the scope has a unit of another type");
        }
        return found;
    }

    /// Commits the unit, if one was opened. Whether it succeeds or not, the unit is closed then.
    Result<void> commit();
    /// Rolls the unit back, if one is open. Idempotent.
    void rollback() noexcept;

private:
    [[nodiscard]] Result<void> may_open() const;

    // Constant after construction.
    Clock& clock_;
    Options options_;
    // The handling thread only.
    tracing::Span span_;
    tracing::ScopedTrace scoped_trace_;
    std::unique_ptr<Unit> unit_;
    bool ended_ = false;
};

}  // namespace gantry::hosting
