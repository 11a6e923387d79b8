#pragma once

// The bodies of Channel's member templates; include channel.hpp instead.

#include "gantry/channel/channel.hpp"

namespace gantry::channel {

template <class T>
Channel<T>::Channel(Options options)
    : options_(std::move(options)),
      ring_(std::clamp<std::size_t>(options_.capacity, 1, kFirstPlaces)) {
    ENSURE(options_.capacity > 0, "a channel holds at least one item");
    if (options_.meter) {
        options_.meter->attach([this] { return depth(); }, options_.capacity);
    }
}

template <class T>
Channel<T>::~Channel() {
    if (options_.meter) {
        options_.meter->detach();
    }
    const std::uint64_t end = tail_.position.load();
    for (std::uint64_t position = head_.position.load(); position != end; ++position) {
        std::destroy_at(&ring_.at(position));
    }
}

template <class T>
WriteOutcome Channel<T>::write_until(T& item, const std::stop_token& stop, SteadyTime until) {
    switch (put(item, stop)) {
        case Put::done:
            return WriteOutcome::written;
        case Put::closed:
            return WriteOutcome::closed;
        case Put::cancelled:
            return WriteOutcome::cancelled;
        case Put::full:
            break;
    }
    if (until == kNoWait) {
        return WriteOutcome::full;
    }
    if (!options_.meter) {
        return wait_and_write(item, stop, until);
    }
    const SteadyTime began = std::chrono::steady_clock::now();
    const WriteOutcome outcome = wait_and_write(item, stop, until);
    options_.meter->writer_waited(std::chrono::steady_clock::now() - began);
    return outcome;
}

template <class T>
WriteOutcome Channel<T>::wait_and_write(T& item, const std::stop_token& stop, SteadyTime until) {
    while (true) {
        writers_.wait(stop, until, [this] { return closed_.load() || has_room(); });
        switch (put(item, stop)) {
            case Put::done:
                return WriteOutcome::written;
            case Put::closed:
                return WriteOutcome::closed;
            case Put::cancelled:
                writers_.wake_one();
                return WriteOutcome::cancelled;
            case Put::full:
                break;
        }
        if (until != SteadyTime::max() && std::chrono::steady_clock::now() >= until) {
            return WriteOutcome::timed_out;
        }
    }
}

template <class T>
typename Channel<T>::Put Channel<T>::put(T& item, const std::stop_token& stop) {
    std::uint64_t position = 0;
    std::optional<T> dropped;
    {
        const std::lock_guard lock(tail_.mutex);
        if (stop.stop_requested()) {
            return Put::cancelled;
        }
        if (closed_.load(std::memory_order_relaxed)) {
            return Put::closed;
        }
        position = tail_.position.load(std::memory_order_relaxed);
        const std::uint64_t depth = position - tail_.other_seen;
        const bool room = depth < options_.capacity && depth < ring_.size();
        if (room || make_room(item, dropped)) {
            if (options_.meter && position % kSampleEvery == 0 &&
                !sample_.pending.load(std::memory_order_acquire)) {
                sample_.position = position;
                sample_.written = std::chrono::steady_clock::now();
                sample_.pending.store(true, std::memory_order_release);
            }
            ring_.put(position, std::move(item));
            ++position;
            tail_.position.store(position, std::memory_order_seq_cst);
        } else if (!dropped) {
            return Put::full;
        }
    }
    readers_.wake_one();
    if (writers_.wanted() && has_room()) {
        writers_.wake_one();
    }
    if (dropped) {
        if (options_.meter) {
            options_.meter->dropped();
        }
        if (options_.on_drop) {
            options_.on_drop(std::move(*dropped));
        }
    }
    return Put::done;
}

template <class T>
bool Channel<T>::make_room(T& item, std::optional<T>& dropped) {
    const std::uint64_t tail = tail_.position.load(std::memory_order_relaxed);
    tail_.other_seen = head_.position.load(std::memory_order_seq_cst);
    std::uint64_t depth = tail - tail_.other_seen;
    if (depth < options_.capacity && depth < ring_.size()) {
        return true;
    }
    if (depth >= options_.capacity && options_.full_mode == FullMode::wait) {
        return false;
    }
    const std::lock_guard lock(head_.mutex);
    const std::uint64_t head = head_.position.load(std::memory_order_relaxed);
    tail_.other_seen = head;
    depth = tail - head;
    if (depth < options_.capacity) {
        if (depth >= ring_.size()) {
            ring_.grow(head, tail);
        }
        return true;
    }
    switch (options_.full_mode) {
        case FullMode::drop_newest:
            // The new one takes its place, so no position changes.
            dropped.emplace(ring_.take(tail - 1));
            ring_.put(tail - 1, std::move(item));
            return false;
        case FullMode::drop_oldest:
            dropped.emplace(ring_.take(head));
            tail_.other_seen = head + 1;
            head_.position.store(head + 1, std::memory_order_seq_cst);
            return true;
        case FullMode::drop_write:
        case FullMode::wait:
            break;
    }
    dropped.emplace(std::move(item));
    return false;
}

template <class T>
std::expected<T, ReadEnd> Channel<T>::read_until(const std::stop_token& stop, SteadyTime until) {
    return take_or_wait(stop, until, [this] { return take(); });
}

template <class T>
std::expected<std::vector<T>, ReadEnd> Channel<T>::read_many(std::size_t most,
                                                             const std::stop_token& stop,
                                                             Deadline deadline) {
    return take_or_wait(stop, deadline.at(), [this, most]() -> std::optional<std::vector<T>> {
        auto items = take_many(most);
        if (items.empty()) {
            return std::nullopt;
        }
        return items;
    });
}

template <class T>
template <class Take>
auto Channel<T>::take_or_wait(const std::stop_token& stop, SteadyTime until, Take take)
    -> std::expected<typename decltype(take())::value_type, ReadEnd> {
    if (stop.stop_requested()) {
        return std::unexpected(ReadEnd::cancelled);
    }
    while (true) {
        if (auto taken = take()) {
            return std::move(*taken);
        }
        // In this order: nothing is written after a close.
        if (closed_.load() && empty()) {
            return std::unexpected(ReadEnd::closed);
        }
        if (until == kNoWait) {
            return std::unexpected(ReadEnd::empty);
        }
        if (until != SteadyTime::max() && std::chrono::steady_clock::now() >= until) {
            return std::unexpected(ReadEnd::timed_out);
        }
        readers_.wait(stop, until, [this] { return closed_.load() || !empty(); });
        if (stop.stop_requested()) {
            readers_.wake_one();
            return std::unexpected(ReadEnd::cancelled);
        }
    }
}

template <class T>
std::optional<T> Channel<T>::take() {
    std::optional<T> item;
    std::uint64_t position = 0;
    std::optional<std::chrono::nanoseconds> sampled;
    {
        const std::lock_guard lock(head_.mutex);
        position = head_.position.load(std::memory_order_relaxed);
        if (head_.other_seen <= position) {
            head_.other_seen = tail_.position.load(std::memory_order_seq_cst);
            if (head_.other_seen == position) {
                return item;
            }
        }
        item.emplace(ring_.take(position));
        ++position;
        head_.position.store(position, std::memory_order_seq_cst);
        sampled = end_sample(position);
    }
    taken(position, sampled);
    return item;
}

template <class T>
std::vector<T> Channel<T>::take_many(std::size_t most) {
    std::vector<T> items;
    // Outside the lock, where memory takes its time.
    items.reserve(std::min(most, depth()));
    std::uint64_t position = 0;
    std::optional<std::chrono::nanoseconds> sampled;
    {
        const std::lock_guard lock(head_.mutex);
        position = head_.position.load(std::memory_order_relaxed);
        head_.other_seen = tail_.position.load(std::memory_order_seq_cst);
        const std::uint64_t end =
            position + std::min<std::uint64_t>(most, head_.other_seen - position);
        if (end == position) {
            return items;
        }
        for (; position != end; ++position) {
            items.push_back(ring_.take(position));
        }
        head_.position.store(position, std::memory_order_seq_cst);
        sampled = end_sample(position);
    }
    taken(position, sampled);
    return items;
}

template <class T>
void Channel<T>::taken(std::uint64_t position, std::optional<std::chrono::nanoseconds> sampled) {
    writers_.wake_one();
    if (readers_.wanted() && tail_.position.load() != position) {
        readers_.wake_one();
    }
    if (sampled) {
        options_.meter->item_waited(*sampled);
    }
}

template <class T>
std::optional<std::chrono::nanoseconds> Channel<T>::end_sample(std::uint64_t position) {
    if (!options_.meter || !sample_.pending.load(std::memory_order_acquire) ||
        sample_.position >= position) {
        return std::nullopt;
    }
    const auto waited = std::chrono::steady_clock::now() - sample_.written;
    sample_.pending.store(false, std::memory_order_release);
    return waited;
}

template <class T>
void Channel<T>::close_with(std::optional<Error> error) {
    {
        const std::lock_guard lock(tail_.mutex);
        if (closed_.load()) {
            return;
        }
        error_ = std::move(error);
        closed_.store(true);
    }
    readers_.wake_all();
    writers_.wake_all();
}

template <class T>
std::optional<Error> Channel<T>::error() const {
    const std::lock_guard lock(tail_.mutex);
    return error_;
}

template <class T>
std::size_t Channel<T>::depth() const {
    // The head first: at worst it has moved since, and the depth is less than this.
    const std::uint64_t head = head_.position.load();
    const std::uint64_t tail = tail_.position.load();
    return std::min<std::size_t>(tail - head, options_.capacity);
}

}  // namespace gantry::channel
