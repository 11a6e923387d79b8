#pragma once

#include "gantry/channel/channel.hpp"
#include "gantry/health/heartbeat.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/hosted_service.hpp"
#include "gantry/hosting/scope.hpp"
#include "gantry/logging/throttle.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace gantry::hosting {

/// The part of `QueueWorker` that does not know what its items are: threads, counts, the stop.
class QueueThreads : public HostedService {
public:
    struct Options {
        int threads = 4;
        /// How long one item may take: its scope's deadline. Zero is no limit.
        std::chrono::milliseconds item_limit{0};
        /// How long before the limit of a stop the handlers are asked to give up, so that they can;
        /// at most half of the time there is.
        std::chrono::milliseconds give_up_before{1'000};
    };

    Result<void> start(std::stop_token aborted) final;

    /// Closes the channel and lets the threads handle what is inside. Shortly before `limit` the
    /// handlers' stop tokens fire; what nobody took is undone. `deadline_exceeded` if a handler
    /// goes on past `limit`.
    Result<void> stop(Deadline limit) final;

    /// Items so far, by how they ended.
    struct Counts {
        std::uint64_t succeeded = 0;
        std::uint64_t failed = 0;
        std::uint64_t undone = 0;
    };
    [[nodiscard]] Counts counts() const;

protected:
    QueueThreads(std::string name, Context& context, Options options);
    ~QueueThreads() override;

    /// Closes the channel, asks the threads to give up and waits for them. Idempotent; to be called
    /// by the destructor of the class that has the handler.
    void join();

    enum class Next { more, idle, end };
    /// How an item ended; one whose handler gave up because of the stop is undone.
    enum class Outcome { succeeded, failed, undone };

    /// Waits up to `patience` for an item and handles it with `handle`.
    virtual Next take_one(const std::stop_token& stop, std::chrono::milliseconds patience,
                          const std::shared_ptr<health::Heartbeat>& heartbeat) = 0;
    virtual void close_channel() = 0;
    /// Takes what is left in the closed channel and hands it over; returns how many there were.
    virtual std::size_t undo_rest() = 0;

    /// Runs `body` in a scope, commits it if it succeeds, counts and logs.
    Outcome handle(const std::stop_token& stop, const std::shared_ptr<health::Heartbeat>& heartbeat,
                   const std::function<Result<void>(Scope&)>& body);

private:
    void run(const std::stop_token& stop, const std::shared_ptr<health::Heartbeat>& heartbeat);
    void failed(const Error& error);
    /// Waits for the threads' end; false at `limit`.
    bool wait_for_threads(SteadyTime limit);

    // Constant after construction.
    std::string name_;
    Context& context_;
    Options options_;
    metrics::Counter& succeeded_;
    metrics::Counter& failed_;
    metrics::Counter& undone_;
    metrics::Histogram& duration_;
    // Self-synchronised; the source fires when the last thread has ended.
    std::stop_source all_ended_;
    std::atomic<int> running_ = 0;
    logging::Throttle throttle_{std::chrono::milliseconds{10'000}};
    // Last: they use the rest.
    std::vector<std::jthread> threads_;
};

/// Threads that handle the items of a channel, one item at a time each.
///
/// A handler that returns success commits its scope. One that fails or throws costs its item only:
/// that is counted in `gantry_queue_items_total`, logged by its code or its exception's type and
/// never with the item, and the worker goes on. On a stop the channel is closed and drained within
/// the limit; items that were not handled go to `on_undone` and are counted.
///
/// The channel outlives the worker. A handler that takes long calls `scope.beat()`.
template <class T>
class QueueWorker final : public QueueThreads {
public:
    /// Called on several threads at once.
    using Handler = std::function<Result<void>(T& item, Scope& scope)>;
    /// Gets an item that was not handled, or whose handler gave up because of the stop.
    using OnUndone = std::function<void(T&& item)>;

    QueueWorker(std::string name, Context& context, channel::Channel<T>& channel, Options options,
                Handler handler, OnUndone on_undone = {})
        : QueueThreads(std::move(name), context, options),
          channel_(channel),
          handler_(std::move(handler)),
          on_undone_(std::move(on_undone)) {}
    ~QueueWorker() override { join(); }

private:
    Next take_one(const std::stop_token& stop, std::chrono::milliseconds patience,
                  const std::shared_ptr<health::Heartbeat>& heartbeat) override {
        auto item = channel_.read(stop, Deadline::after(patience));
        if (!item) {
            return item.error() == channel::ReadEnd::timed_out ? Next::idle : Next::end;
        }
        const Outcome outcome =
            handle(stop, heartbeat, [&](Scope& scope) { return handler_(*item, scope); });
        if (outcome == Outcome::undone) {
            undo(*std::move(item));
        }
        return Next::more;
    }

    void close_channel() override { channel_.close(); }

    std::size_t undo_rest() override {
        std::size_t count = 0;
        while (auto item = channel_.try_read()) {
            ++count;
            undo(*std::move(item));
        }
        return count;
    }

    void undo(T&& item) {
        if (on_undone_) {
            on_undone_(std::move(item));
        }
    }

    // Constant after construction.
    channel::Channel<T>& channel_;
    Handler handler_;
    OnUndone on_undone_;
};

}  // namespace gantry::hosting
