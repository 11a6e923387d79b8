#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/base/ensure.hpp"
#include "gantry/base/result.hpp"
#include "gantry/channel/meter.hpp"
#include "gantry/channel/ring.hpp"
#include "gantry/channel/waiting.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <type_traits>
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
/// item; a read whose token has already fired fails even when items wait. Deadlines are those of
/// the real clock.
///
/// Readers and writers take one lock each and meet only at two counters, which each side reads
/// again when the last value it saw is used up. A thread that has to wait looks for a few
/// microseconds before it sleeps.
template <class T>
class Channel {
public:
    static_assert(std::is_nothrow_move_constructible_v<T>,
                  "an item has to move without throwing, or it could be lost on the way");

    static constexpr std::size_t kDefaultCapacity = 100;
    static constexpr std::size_t kUnbounded = static_cast<std::size_t>(-1);

    struct Options {
        std::size_t capacity = kDefaultCapacity;  ///< At least 1; `kUnbounded` for no bound.
        FullMode full_mode = FullMode::wait;
        /// Gets each dropped item, on the writer's thread, outside the channel's locks.
        std::function<void(T&&)> on_drop = {};
        /// Measures depth and waits; null measures nothing and costs nothing.
        std::shared_ptr<Meter> meter = {};
    };

    Channel() : Channel(Options{}) {}
    explicit Channel(Options options);
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    /// Writes without waiting. With a drop mode it never answers `full`.
    WriteOutcome try_write(T item) { return write_until(item, {}, kNoWait); }

    /// Writes, waiting for room until `stop` fires or `deadline` passes.
    WriteOutcome write(T item, const std::stop_token& stop, Deadline deadline = Deadline::never()) {
        return write_until(item, stop, deadline.at());
    }

    /// Takes an item without waiting.
    std::expected<T, ReadEnd> try_read() { return read_until({}, kNoWait); }

    /// Takes an item, waiting until one comes, `stop` fires or `deadline` passes.
    std::expected<T, ReadEnd> read(const std::stop_token& stop,
                                   Deadline deadline = Deadline::never()) {
        return read_until(stop, deadline.at());
    }

    /// Waits for the first item like `read`, then takes up to `most` items that are there.
    std::expected<std::vector<T>, ReadEnd> read_many(std::size_t most, const std::stop_token& stop,
                                                     Deadline deadline = Deadline::never());

    /// No further write succeeds; readers get what is inside, then `closed`. Idempotent.
    void close() { close_with(std::nullopt); }

    /// Like `close`, and `error()` tells readers and writers why.
    void close(Error error) { close_with(std::move(error)); }

    [[nodiscard]] bool closed() const { return closed_.load(); }
    [[nodiscard]] std::optional<Error> error() const;
    /// How many items are inside. With other threads at work it is never less than what is left
    /// for a single writer, so that one which sees room has it.
    [[nodiscard]] std::size_t depth() const;
    [[nodiscard]] std::size_t capacity() const { return options_.capacity; }

private:
    static constexpr SteadyTime kNoWait = SteadyTime::min();
    static constexpr std::size_t kFirstPlaces = 128;
    static constexpr std::size_t kCacheLine = 64;
    static constexpr std::uint64_t kSampleEvery = 16;

    /// What one side writes, apart from what the other side reads all the time.
    struct alignas(kCacheLine) Side {
        mutable detail::Mutex mutex;
        std::uint64_t other_seen = 0;  // The other side's position when last looked at.
        alignas(kCacheLine) std::atomic<std::uint64_t> position = 0;
    };

    /// One item on its way through, timed for the meter.
    struct Sample {
        std::atomic<bool> pending = false;  // Hands the two below from writer to reader and back.
        std::uint64_t position = 0;
        SteadyTime written;
    };

    enum class Put { done, full, closed, cancelled };

    WriteOutcome write_until(T& item, const std::stop_token& stop, SteadyTime until);
    WriteOutcome wait_and_write(T& item, const std::stop_token& stop, SteadyTime until);
    Put put(T& item, const std::stop_token& stop);
    /// The channel seems full: looks again, makes room by growing or by the full mode, or does not.
    /// Returns whether there is a free place; what had to go is in `dropped`.
    bool make_room(T& item, std::optional<T>& dropped);

    std::expected<T, ReadEnd> read_until(const std::stop_token& stop, SteadyTime until);
    std::optional<T> take();
    std::vector<T> take_many(std::size_t most);
    /// Calls `take` until it brings something, and waits in between.
    template <class Take>
    auto take_or_wait(const std::stop_token& stop, SteadyTime until, Take take)
        -> std::expected<typename decltype(take())::value_type, ReadEnd>;
    /// After a take, with no lock held: wakes whom it concerns.
    void taken(std::uint64_t position, std::optional<std::chrono::nanoseconds> sampled);
    std::optional<std::chrono::nanoseconds> end_sample(std::uint64_t position);

    [[nodiscard]] bool empty() const { return tail_.position.load() == head_.position.load(); }
    [[nodiscard]] bool has_room() const {
        const std::uint64_t head = head_.position.load();
        return tail_.position.load() - head < options_.capacity;
    }
    void close_with(std::optional<Error> error);

    // Constant after construction.
    Options options_;
    // Changed with both sides' locks held, read with one of them.
    detail::Ring<T> ring_;
    // Changed with the tail's lock held.
    std::atomic<bool> closed_ = false;
    std::optional<Error> error_;
    // Where writers put; taken before the head's lock where both are.
    Side tail_;
    // Where readers take.
    Side head_;
    // Self-synchronised.
    alignas(kCacheLine) detail::WaitingRoom readers_;
    alignas(kCacheLine) detail::WaitingRoom writers_;
    Sample sample_;
};

}  // namespace gantry::channel

#include "gantry/channel/channel_impl.hpp"
