#pragma once

#include "gantry/jobs/completion.hpp"
#include "gantry/jobs/handler.hpp"
#include "gantry/metrics/registry.hpp"

#include <chrono>
#include <string>

namespace gantry::worker {

/// What the worker counts. Types that no handler is registered for are labelled `other`.
/// Thread-safe.
class JobMetrics {
public:
    JobMetrics(metrics::Registry& registry, const jobs::Registry& handlers);

    void started(const jobs::Runnable& job, Instant now);
    void ran(const jobs::Runnable& job, SteadyTime::duration took);
    void finished(const jobs::Runnable& job, jobs::Ending ending);
    void timed_out(const jobs::Runnable& job);
    void raw_event(const std::string& outcome);

    // Self-synchronised.
    metrics::Counter& duplicates;  ///< Records whose wake-up was in flight already.
    metrics::Counter& stale;       ///< Records whose job had moved on.
    metrics::Counter& missing;     ///< Records without a row.
    metrics::Counter& pauses;      ///< Times polling paused.
    metrics::Gauge& in_flight;
    metrics::Gauge& running;

private:
    metrics::Registry& registry_;
    const jobs::Registry& handlers_;
};

}  // namespace gantry::worker
