#pragma once

#include "guard.hpp"

#include "gantry/hosting/alarm.hpp"
#include "gantry/hosting/host.hpp"

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace gantry::hosting {

class UnderWay;

/// Owns the instances of the host's services: starts them stage by stage, restarts those whose
/// loops end, stops them in reverse. A stage is one service, or a group whose members each start
/// and stop on a thread of their own.
///
/// Everything but `look_for_stalls` is called on the host's thread; the ends of loops come in from
/// theirs.
class Supervisor {
public:
    /// `alarm` is rung when there is something for `step`.
    Supervisor(Context& context, const HostOptions& options, Guard& guard, Alarm& alarm,
               std::vector<HostBuilder::Registration> registrations);
    ~Supervisor();

    /// Starts each stage in order. On the first error it stops there: what has started stays so.
    std::optional<ServiceError> start_all(const std::stop_token& aborted);

    /// Handles the loops that have ended since, and the restarts that are due.
    void step();
    /// When `step` has to be called again, if nobody rings before.
    [[nodiscard]] SteadyTime next_due() const;

    /// Stops what has started of the stages at `place` in reverse, each service within its own
    /// limit, and returns all errors.
    std::vector<ServiceError> stop_all(HostBuilder::Place place, Deadline total);
    /// Destroys all instances in reverse. Waits for loops that did not end in time.
    void destroy_all();

    /// Shows stalled loops in the services' health. Called on the guard's thread.
    void look_for_stalls();

private:
    enum class State { absent, starting, running, waiting, ended, stopped };

    struct Slot {
        std::string name;
        ServiceFactory factory;
        FaultPolicy policy;
        std::unique_ptr<HostedService> instance;
        int generation = 0;  // Of the instance whose end counts.
        SteadyTime started_at;
        SteadyTime restart_at = SteadyTime::max();
        Backoff backoff;
        std::deque<SteadyTime> recent_restarts;
        health::Reporter* reporter = nullptr;
        metrics::Counter* restart_counter = nullptr;
        // Guarded by mutex, and changed together with what the reporter shows; the host's thread
        // alone writes the state.
        std::mutex mutex;
        State state = State::absent;
        bool shown_stalled = false;
    };

    struct Stage {
        std::string group;  // Empty for a service on its own.
        HostBuilder::Place place;
        std::vector<Slot*> members;
    };

    struct End {
        Slot* slot;
        int generation;
        Result<void> outcome;
    };

    /// Enters `state` and shows it as the service's health.
    static void enter(Slot& slot, State state, health::Status status, std::string detail);
    /// Calls `body` for each member, for those of a group at the same time, and waits for all.
    template <class Body>
    void for_each_member(const Stage& stage, UnderWay& under_way, Body body);
    std::optional<ServiceError> start_stage(const Stage& stage, const std::stop_token& aborted);
    Result<void> start_one(Slot& slot, const std::stop_token& aborted);
    void ended(Slot& slot, int generation, Result<void> outcome);
    void handle(const End& end);
    void plan_restart(Slot& slot, const Result<void>& outcome);
    void restart(Slot& slot);
    std::vector<ServiceError> stop_stage(const Stage& stage, Deadline total);
    std::optional<ServiceError> stop_for_good(Slot& slot, Deadline total);
    Result<void> stop_one(Slot& slot, Deadline total);

    // Constant after construction.
    Context& context_;
    HostOptions options_;
    Guard& guard_;
    Alarm& alarm_;
    // The host's thread only, but for what Slot says; while a group starts or stops, each member's
    // thread has its slot.
    std::vector<std::unique_ptr<Slot>> slots_;
    std::vector<Stage> stages_;
    // Guarded by mutex_.
    std::mutex mutex_;
    std::vector<End> ends_;
};

}  // namespace gantry::hosting
