#pragma once

// The bodies of Channel's member templates; include channel.hpp instead.

#include "gantry/channel/channel.hpp"

namespace gantry::channel {

template <class T>
template <class Ready>
bool Channel<T>::await(std::unique_lock<std::mutex>& lock, Waiters& waiters,
                       const std::stop_token& stop, SteadyTime until, Ready ready) {
    ++waiters.count;
    bool satisfied = false;
    if (until == SteadyTime::max()) {
        satisfied = waiters.signal.wait(lock, stop, ready);
    } else {
        satisfied = waiters.signal.wait_until(lock, stop, until, ready);
    }
    --waiters.count;
    if (satisfied && stop.stop_requested()) {
        // This thread gives up although there is something for it: the wake-up that may have been
        // meant for it goes on to the next one, or an item or a place would wait for nobody.
        waiters.wake_one();
        return false;
    }
    return satisfied;
}

template <class T>
WriteOutcome Channel<T>::write_until(T& item, std::stop_token stop, SteadyTime until) {
    std::unique_lock lock(mutex_);
    if (stop.stop_requested()) {
        return WriteOutcome::cancelled;
    }
    if (closed_) {
        return WriteOutcome::closed;
    }
    if (items_.size() >= options_.capacity) {
        if (options_.full_mode != FullMode::wait) {
            drop(lock, item);
            return WriteOutcome::written;
        }
        if (until == kNoWait) {
            return WriteOutcome::full;
        }
        const bool room = await(lock, writers_, stop, until,
                                [this] { return closed_ || items_.size() < options_.capacity; });
        if (stop.stop_requested()) {
            return WriteOutcome::cancelled;
        }
        if (closed_) {
            return WriteOutcome::closed;
        }
        if (!room) {
            return WriteOutcome::timed_out;
        }
    }
    items_.push_back(std::move(item));
    readers_.wake_one();
    return WriteOutcome::written;
}

template <class T>
void Channel<T>::drop(std::unique_lock<std::mutex>& lock, T& item) {
    std::optional<T> dropped;
    switch (options_.full_mode) {
        case FullMode::drop_newest:
            dropped.emplace(std::move(items_.back()));
            items_.pop_back();
            items_.push_back(std::move(item));
            break;
        case FullMode::drop_oldest:
            dropped.emplace(std::move(items_.front()));
            items_.pop_front();
            items_.push_back(std::move(item));
            break;
        case FullMode::drop_write:
        case FullMode::wait:
            dropped.emplace(std::move(item));
            break;
    }
    lock.unlock();
    if (options_.on_drop) {
        options_.on_drop(std::move(*dropped));
    }
}

template <class T>
std::optional<ReadEnd> Channel<T>::await_item(std::unique_lock<std::mutex>& lock,
                                              const std::stop_token& stop, SteadyTime until) {
    if (stop.stop_requested()) {
        return ReadEnd::cancelled;
    }
    if (items_.empty()) {
        if (closed_) {
            return ReadEnd::closed;
        }
        if (until == kNoWait) {
            return ReadEnd::empty;
        }
        await(lock, readers_, stop, until, [this] { return closed_ || !items_.empty(); });
        if (stop.stop_requested()) {
            return ReadEnd::cancelled;
        }
        if (items_.empty()) {
            return closed_ ? ReadEnd::closed : ReadEnd::timed_out;
        }
    }
    return std::nullopt;
}

template <class T>
std::expected<T, ReadEnd> Channel<T>::read_until(std::stop_token stop, SteadyTime until) {
    std::unique_lock lock(mutex_);
    if (const auto end = await_item(lock, stop, until)) {
        return std::unexpected(*end);
    }
    std::expected<T, ReadEnd> item(std::move(items_.front()));
    items_.pop_front();
    writers_.wake_one();
    return item;
}

template <class T>
std::expected<std::vector<T>, ReadEnd> Channel<T>::read_many(std::size_t most, std::stop_token stop,
                                                             Deadline deadline) {
    std::unique_lock lock(mutex_);
    if (const auto end = await_item(lock, stop, deadline.at())) {
        return std::unexpected(*end);
    }
    const std::size_t count = std::min(most, items_.size());
    std::vector<T> taken;
    taken.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        taken.push_back(std::move(items_.front()));
        items_.pop_front();
    }
    if (count == 1) {
        writers_.wake_one();
    } else {
        writers_.wake_all();
    }
    // With more items than this reader took, another waiting reader has work as well.
    if (!items_.empty()) {
        readers_.wake_one();
    }
    return taken;
}

template <class T>
void Channel<T>::close_with(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    if (closed_) {
        return;
    }
    closed_ = true;
    error_ = std::move(error);
    readers_.wake_all();
    writers_.wake_all();
}

template <class T>
bool Channel<T>::closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
}

template <class T>
std::optional<Error> Channel<T>::error() const {
    const std::lock_guard lock(mutex_);
    return error_;
}

template <class T>
std::size_t Channel<T>::depth() const {
    const std::lock_guard lock(mutex_);
    return items_.size();
}

}  // namespace gantry::channel
