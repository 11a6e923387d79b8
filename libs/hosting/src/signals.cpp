#include "signals.hpp"

#include "gantry/hosting/host.hpp"
#include "gantry/logging/log.hpp"

#include <pthread.h>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

namespace gantry::hosting {
namespace {

sigset_t handled_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGHUP}) {
        sigaddset(&set, signal);
    }
    return set;
}

std::string signal_name(int signal) {
    return std::string("SIG") + sigabbrev_np(signal);
}

}  // namespace

void block_signals() {
    const sigset_t set = handled_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    // A peer that hangs up is an error of the write, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
}

SignalThread::SignalThread(Lifetime& lifetime, Actions actions)
    : lifetime_(lifetime), actions_(std::move(actions)), thread_([this] { run(); }) {
    pthread_setname_np(thread_.native_handle(), "signals");
}

SignalThread::~SignalThread() {
    done_ = true;
    // Only this thread gets it, and it sees `done_` before it acts on it.
    pthread_kill(thread_.native_handle(), SIGHUP);
}

void SignalThread::run() {
    const sigset_t set = handled_signals();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(actions_.interval);
    timespec pause{};
    pause.tv_sec = seconds.count();
    pause.tv_nsec = std::chrono::nanoseconds(actions_.interval - seconds).count();
    const bool looks = actions_.look && actions_.interval > std::chrono::milliseconds{0};
    while (!done_) {
        const int signal = sigtimedwait(&set, nullptr, looks ? &pause : nullptr);
        if (done_) {
            return;
        }
        if (signal > 0) {
            take(signal);
        } else if (looks && errno == EAGAIN) {
            actions_.look();
        }
    }
}

void SignalThread::take(int signal) {
    if (signal == SIGHUP) {
        actions_.reload();
        return;
    }
    const std::string name = signal_name(signal);
    if (signal == SIGINT && ++interrupts_ > 1) {
        logging::warning("second SIGINT: exiting at once",
                         {logging::Field("exit_code", int{kExitSecondInterrupt})});
        std::_Exit(kExitSecondInterrupt);
    }
    if (stop_taken_) {
        logging::info("signal ignored: stopping already", {{"signal", name}});
        return;
    }
    stop_taken_ = true;
    lifetime_.stop("signal " + name);
}

}  // namespace gantry::hosting
