#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/deadline.hpp"
#include "task_queue.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <vector>

namespace gantry::worker {

/// One try of a job that a thread runs, or whose end is being written.
struct Run {
    enum class Lease { none, wanted, held };

    Run(Task running, Instant now, SteadyTime steady_now)
        : task(std::move(running)),
          started_at(now),
          started(steady_now),
          deadline(steady_now + task.job.timeout) {}

    // Constant after construction.
    const Task task;
    const Instant started_at;
    const SteadyTime started;
    const SteadyTime deadline;
    // Self-synchronised.
    std::stop_source stop;  ///< What the handler's context shows.
    std::atomic<bool> timed_out{false};
    std::atomic<bool> handler_ended{false};
    std::atomic<Lease> lease{Lease::none};
};

/// The runs of this process. Thread-safe.
class Runs {
public:
    std::shared_ptr<Run> start(Task task, const Clock& clock);

    /// The handler has returned; its end is not written yet.
    void handler_ended(Run& run);
    /// The run is over.
    void finish(const Run& run);

    [[nodiscard]] std::vector<std::shared_ptr<Run>> all() const;
    [[nodiscard]] std::size_t size() const;

    /// Waits until no run matches, or `deadline`. Gives those that still do.
    std::vector<std::shared_ptr<Run>> wait_until_none(
        const std::function<bool(const Run&)>& matches, Deadline deadline) const;

private:
    [[nodiscard]] std::vector<std::shared_ptr<Run>> matching(
        const std::function<bool(const Run&)>& matches) const;

    // Guarded by mutex_.
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::map<Uuid, std::shared_ptr<Run>> runs_;
};

}  // namespace gantry::worker
