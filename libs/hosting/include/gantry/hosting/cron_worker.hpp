#pragma once

#include "gantry/hosting/background_service.hpp"
#include "gantry/hosting/scope.hpp"

#include <functional>
#include <optional>
#include <string>

namespace gantry::hosting {

/// Runs something in this process whenever a schedule says so.
///
/// The schedule is a function from an instant to the first fire strictly after it, because hosting
/// stands below libs/cron: pass `[=](Instant after) { return schedule.next_after(after, zone); }`.
///
/// A run never overlaps itself. Fires that come while one runs are missed: they are counted and not
/// made up for. One that the process slept through, or that the clock jumped over, runs once, late.
/// No fire is repeated when the wall clock is set back. An error costs its run only: it is counted
/// and logged, the service shows Degraded, and the next success clears it. Each process runs it on
/// its own; for once per cluster, and for fires that outlive the process, use the scheduler.
class CronWorker final : public BackgroundService {
public:
    /// The first fire strictly after `after`; nothing if there is none.
    using Schedule = std::function<std::optional<Instant>(Instant after)>;
    /// One run. A success commits the scope.
    using Work = std::function<Result<void>(Scope& scope)>;

    CronWorker(std::string name, Context& context, Schedule next, Work work);
    ~CronWorker() override { join(); }

protected:
    Result<void> execute(std::stop_token stop) override;

private:
    /// Sleeps until the wall clock shows `fire`; false if stopped first.
    bool wait_for(Instant fire, const std::stop_token& stop);
    void run(const std::stop_token& stop);
    void succeeded();
    void failed(const Error& error);
    /// Counts the fires after `fire` that the clock has passed.
    void count_missed(Instant fire);

    // Constant after construction.
    Schedule next_;
    Work work_;
    metrics::Counter& successes_;
    metrics::Counter& failures_;
    metrics::Counter& missed_;
    metrics::Histogram& duration_;
    // The loop only.
    bool failing_ = false;
};

}  // namespace gantry::hosting
