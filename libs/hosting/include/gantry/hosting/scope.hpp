#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"
#include "gantry/health/heartbeat.hpp"
#include "gantry/tracing/trace.hpp"

#include <concepts>
#include <memory>
#include <stop_token>
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
/// service's own loop. A dispatcher commits it when the handler succeeds.
class Scope {
public:
    struct Options {
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
    /// This scope's own span.
    [[nodiscard]] const tracing::TraceContext& trace() const { return trace_; }

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
    tracing::TraceContext trace_;
    tracing::ScopedTrace scoped_trace_;
    // The handling thread only.
    std::unique_ptr<Unit> unit_;
    bool ended_ = false;
};

}  // namespace gantry::hosting
