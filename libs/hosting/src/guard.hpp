#pragma once

#include "gantry/hosting/alarm.hpp"
#include "gantry/hosting/context.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace gantry::hosting {

/// The host's second pair of eyes: a thread that steps the watchdog once a second and, when the
/// host itself hangs in a service's start or stop, names that service and ends the process.
///
/// Thread-safe.
class Guard {
public:
    Guard(Context& context, std::function<void(int)> hard_exit, std::function<void()> each_second)
        : context_(context),
          hard_exit_(std::move(hard_exit)),
          each_second_(std::move(each_second)),
          alarm_(context.clock) {}

    void start();
    /// Waits for the thread's end. Idempotent.
    void stop();

    /// What the host does from now on, for example "stopping service `relay`". A watched activity
    /// has to end within the watchdog's limits, or it counts as a silent loop of that name.
    enum class Watched { no, yes };
    void note(std::string activity, Watched watched = Watched::no);

    /// Says that `activity` took longer than it might: if time runs out later, it is named as well,
    /// since it has used up what the others lack.
    void blame(std::string activity);

    /// At `at`, calls `action` once on the guard's thread unless `cancel_soft_limit` came first.
    void set_soft_limit(SteadyTime at, std::function<void()> action);
    /// Waits for an action that is under way: afterwards it has happened or never will.
    void cancel_soft_limit();

    /// At `at`, names the activity and hard-exits with `code`. The first limit that is set counts.
    void set_hard_limit(SteadyTime at, int code);
    void cancel_hard_limit();

    /// What the host was doing when the hard limit passed; empty if it did not.
    [[nodiscard]] std::string culprit() const;

private:
    void run(const std::stop_token& stop);
    void look(SteadyTime now);
    void act_if_due(SteadyTime now);

    // Constant after construction.
    Context& context_;
    std::function<void(int)> hard_exit_;
    std::function<void()> each_second_;
    // Self-synchronised.
    Alarm alarm_;
    // Held while the soft limit's action runs; taken before mutex_.
    std::mutex action_mutex_;
    // Guarded by mutex_; `SteadyTime::max()` is no limit.
    mutable std::mutex mutex_;
    std::string activity_;
    std::string overdue_;                           // What was blamed, joined.
    std::shared_ptr<health::Heartbeat> heartbeat_;  // Of a watched activity; it beats once.
    std::string culprit_;
    SteadyTime soft_limit_ = SteadyTime::max();
    std::function<void()> soft_action_;
    SteadyTime hard_limit_ = SteadyTime::max();
    int hard_code_ = 0;
    // Last: it uses the rest.
    std::jthread thread_;
};

}  // namespace gantry::hosting
