#pragma once

#include "gantry/hosting/lifetime.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

namespace gantry::hosting {

/// Blocks SIGINT, SIGTERM, SIGQUIT and SIGHUP for this thread and all it will start, and ignores
/// SIGPIPE. Before any thread exists.
void block_signals();

/// The one thread that takes the process's signals: the first of INT, TERM and QUIT asks the host
/// to stop, repeated ones are logged, a second INT exits with 130 at once, HUP calls `reload`.
/// Between signals it calls `look` every `interval`, unless that is zero.
class SignalThread {
public:
    struct Actions {
        std::function<void()> reload;
        std::function<void()> look = {};
        std::chrono::milliseconds interval{0};
    };
    SignalThread(Lifetime& lifetime, Actions actions);
    ~SignalThread();
    SignalThread(const SignalThread&) = delete;
    SignalThread& operator=(const SignalThread&) = delete;

private:
    void run();
    void take(int signal);

    // Constant after construction.
    Lifetime& lifetime_;
    Actions actions_;
    // The signal thread only.
    int interrupts_ = 0;
    bool stop_taken_ = false;
    // Self-synchronised.
    std::atomic<bool> done_ = false;
    std::jthread thread_;
};

}  // namespace gantry::hosting
