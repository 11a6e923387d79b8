#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/base/ensure.hpp"
#include "gantry/base/result.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

namespace gantry::channel {

/// What a write does when the channel is full.
enum class FullMode {
    wait,         ///< Blocks until there is room.
    drop_newest,  ///< The newest item inside makes room.
    drop_oldest,  ///< The oldest item inside makes room.
    drop_write,   ///< The item being written is dropped.
};

/// How a write ended.
enum class WriteOutcome {
    written,    ///< It is inside.
    full,       ///< `try_write` only: there was no room.
    closed,     ///< The channel was closed; nothing was written.
    cancelled,  ///< The stop token fired; nothing was written.
    timed_out,  ///< The deadline passed; nothing was written.
};

/// Why a read gave no item.
enum class ReadEnd {
    empty,      ///< `try_read` only.
    closed,     ///< Closed and drained; no item will come.
    cancelled,  ///< The stop token fired.
    timed_out,  ///< The deadline passed.
};

/// A queue between threads with a bound, so that a fast producer waits for a slow consumer.
///
/// Thread-safe for any number of readers and writers. Items are delivered in the order of their
/// writes, each to one reader. A cancelled write never delivers, and a cancelled read takes no
/// item; a read whose token has already fired fails even when items wait.
template <class T>
class Channel {
public:
    static constexpr std::size_t kDefaultCapacity = 100;
    static constexpr std::size_t kUnbounded = static_cast<std::size_t>(-1);

    struct Options {
        std::size_t capacity = kDefaultCapacity;  ///< At least 1; `kUnbounded` for no bound.
        FullMode full_mode = FullMode::wait;
        /// Gets each dropped item, on the writer's thread, outside the channel's lock.
        std::function<void(T&&)> on_drop = {};
    };

    Channel() : Channel(Options{}) {}
    explicit Channel(Options options) : options_(std::move(options)) {
        ENSURE(options_.capacity > 0, "a channel holds at least one item");
    }
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    /// Writes without waiting. With a drop mode it never answers `full`.
    WriteOutcome try_write(T item) { return write_until(item, {}, kNoWait); }

    /// Writes, waiting for room until `stop` fires or `deadline` passes.
    WriteOutcome write(T item, std::stop_token stop, Deadline deadline = Deadline::never()) {
        return write_until(item, std::move(stop), deadline.at());
    }

    /// Takes an item without waiting.
    std::expected<T, ReadEnd> try_read() { return read_until({}, kNoWait); }

    /// Takes an item, waiting until one comes, `stop` fires or `deadline` passes.
    std::expected<T, ReadEnd> read(std::stop_token stop, Deadline deadline = Deadline::never()) {
        return read_until(std::move(stop), deadline.at());
    }

    /// Waits for the first item like `read`, then takes up to `most` items that are there.
    std::expected<std::vector<T>, ReadEnd> read_many(std::size_t most, std::stop_token stop,
                                                     Deadline deadline = Deadline::never());

    /// No further write succeeds; readers get what is inside, then `closed`. Idempotent.
    void close() { close_with(std::nullopt); }

    /// Like `close`, and `error()` tells readers and writers why.
    void close(Error error) { close_with(std::move(error)); }

    [[nodiscard]] bool closed() const;
    [[nodiscard]] std::optional<Error> error() const;
    [[nodiscard]] std::size_t depth() const;
    [[nodiscard]] std::size_t capacity() const { return options_.capacity; }

private:
    static constexpr SteadyTime kNoWait = SteadyTime::min();

    // Threads that wait for one condition. Counted, so that nobody pays for a wake-up of nobody.
    struct Waiters {
        std::condition_variable_any signal;
        std::size_t count = 0;
        void wake_one() {
            if (count > 0) {
                signal.notify_one();
            }
        }
        void wake_all() {
            if (count > 0) {
                signal.notify_all();
            }
        }
    };

    WriteOutcome write_until(T& item, std::stop_token stop, SteadyTime until);
    std::expected<T, ReadEnd> read_until(std::stop_token stop, SteadyTime until);
    /// Returns why there is no item, or nothing when one is there.
    std::optional<ReadEnd> await_item(std::unique_lock<std::mutex>& lock,
                                      const std::stop_token& stop, SteadyTime until);
    /// True when `ready` holds and `stop` has not fired.
    template <class Ready>
    bool await(std::unique_lock<std::mutex>& lock, Waiters& waiters, const std::stop_token& stop,
               SteadyTime until, Ready ready);
    /// Makes room by the full mode; unlocks and hands over the dropped item.
    void drop(std::unique_lock<std::mutex>& lock, T& item);
    void close_with(std::optional<Error> error);

    // Constant after construction.
    Options options_;
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    Waiters readers_;
    Waiters writers_;
    std::deque<T> items_;
    bool closed_ = false;
    std::optional<Error> error_;
};

}  // namespace gantry::channel

#include "gantry/channel/channel_impl.hpp"
