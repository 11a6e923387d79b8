#pragma once

// How Channel's threads wait, for the lock and for each other. Not for use elsewhere.

#include "gantry/base/clock.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <stop_token>
#include <thread>

namespace gantry::channel::detail {

/// Tells the core that this thread only waits.
inline void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// A mutex for sections of a few nanoseconds: tries for a moment before it sleeps, since the holder
/// is most likely done before a sleep would have begun.
class Mutex {
public:
    void lock() {
        for (int i = 0; i < kTries; ++i) {
            if (mutex_.try_lock()) {
                return;
            }
            relax();
        }
        mutex_.lock();
    }
    void unlock() { mutex_.unlock(); }

private:
    static constexpr int kTries = 40;
    std::mutex mutex_;
};

/// Where threads of one side wait for their condition. Thread-safe.
///
/// Only one sleeper is being woken at a time: it holds a token until it runs. Whoever gets what it
/// waited for wakes the next one if there is more, so that a burst costs the other side one system
/// call and not one an item.
///
/// The condition must be read and written with sequential consistency: a waiter announces itself
/// and then looks, the other side changes the condition and then looks for waiters, so that one of
/// the two sees the other.
class WaitingRoom {
public:
    /// Whether somebody sleeps whom nobody wakes yet.
    [[nodiscard]] bool wanted() const { return wanted_.load(std::memory_order_seq_cst); }

    void wake_one() {
        if (!wanted()) {
            return;
        }
        {
            const std::lock_guard lock(mutex_);
            if (inside_ == 0 || token_) {
                return;
            }
            token_ = true;
            announce();
        }
        signal_.notify_one();
    }

    /// For a condition that holds for all from now on.
    void wake_all() {
        {
            const std::lock_guard lock(mutex_);
        }
        signal_.notify_all();
    }

    /// Waits until `ready` holds, a wake-up, `until`, or `stop`. The caller looks again in every
    /// case; one that gives up although it may have been woken calls `wake_one` for the next.
    template <class Ready>
    void wait(const std::stop_token& stop, SteadyTime until, Ready ready) {
        if (spin(ready)) {
            return;
        }
        std::unique_lock lock(mutex_);
        ++inside_;
        announce();
        const auto awake = [&] { return token_ || ready(); };
        if (until == SteadyTime::max()) {
            signal_.wait(lock, stop, awake);
        } else {
            signal_.wait_until(lock, stop, until, awake);
        }
        --inside_;
        token_ = false;
        announce();
    }

private:
    // For a few microseconds, about as long as a sleep and a wake-up would take. The pauses grow,
    // so that the other side gets ahead and the next look finds more than one item.
    template <class Ready>
    static bool spin(Ready ready) {
        constexpr int kLongestPause = 64;
        for (int pause = 4; pause <= kLongestPause; pause *= 2) {
            for (int i = 0; i < pause; ++i) {
                relax();
            }
            if (ready()) {
                return true;
            }
        }
        // With more threads than cores, the other side may wait for this one's core.
        constexpr int kYields = 2;
        for (int i = 0; i < kYields; ++i) {
            std::this_thread::yield();
            if (ready()) {
                return true;
            }
        }
        return false;
    }

    void announce() { wanted_.store(inside_ > 0 && !token_, std::memory_order_seq_cst); }

    std::atomic<bool> wanted_ = false;
    // Guarded by mutex_.
    std::mutex mutex_;
    std::condition_variable_any signal_;
    std::size_t inside_ = 0;
    bool token_ = false;
};

}  // namespace gantry::channel::detail
