#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/channel/channel.hpp"
#include "gantry/jobs/completion.hpp"
#include "gantry/jobs/dispatch.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace gantry::worker {

/// A job that was checked and waits for a thread, with the record that brought it.
struct Task {
    jobs::Runnable job;
    jobs::Source source;
    std::int64_t offset = 0;
};

/// The bounded channel between the poll thread and the executors. What does not fit waits in front
/// of it in order, and then polling has to pause: `full()`. Thread-safe.
class TaskQueue {
public:
    explicit TaskQueue(std::size_t capacity, std::shared_ptr<channel::Meter> meter = {})
        : channel_({.capacity = capacity, .meter = std::move(meter)}) {}

    /// Never blocks. The number of tasks outside the channel is bounded by whoever polls.
    void feed(Task task) {
        const std::lock_guard lock(mutex_);
        overflow_.push_back(std::move(task));
        refill();
    }

    /// The next task; nothing when `stop` fires or the queue was closed.
    std::optional<Task> next(const std::stop_token& stop) {
        auto task = channel_.read(stop);
        if (!task) {
            return std::nullopt;
        }
        {
            const std::lock_guard lock(mutex_);
            refill();
            ++taken_;
        }
        taken_one_.notify_all();
        return *std::move(task);
    }

    /// Waits until a task is taken, at most `limit`.
    void wait_for_taker(milliseconds limit) {
        std::unique_lock lock(mutex_);
        taken_one_.wait_for(lock, limit, [this, before = taken_] { return taken_ != before; });
    }

    void close() { channel_.close(); }

    /// True while tasks wait in front of the full channel.
    [[nodiscard]] bool full() const {
        const std::lock_guard lock(mutex_);
        return !overflow_.empty();
    }

    [[nodiscard]] std::size_t depth() const { return channel_.depth(); }
    [[nodiscard]] std::size_t capacity() const { return channel_.capacity(); }

private:
    void refill() {
        while (!overflow_.empty() && channel_.depth() < channel_.capacity()) {
            // Only this class writes, under the lock, so there is room.
            channel_.try_write(std::move(overflow_.front()));
            overflow_.pop_front();
        }
    }

    // Self-synchronised.
    channel::Channel<Task> channel_;
    // Guarded by mutex_, as is writing into the channel.
    mutable std::mutex mutex_;
    std::condition_variable taken_one_;
    std::uint64_t taken_ = 0;
    std::deque<Task> overflow_;
};

}  // namespace gantry::worker
