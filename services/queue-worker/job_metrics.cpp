#include "job_metrics.hpp"

namespace gantry::worker {
namespace {

double seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

}  // namespace

JobMetrics::JobMetrics(metrics::Registry& registry, const jobs::Registry& handlers)
    : duplicates(registry.counter("gantry_jobs_duplicate_records_total",
                                  "Records whose wake-up was in flight already")),
      stale(registry.counter("gantry_jobs_stale_records_total",
                             "Records whose job had moved on when they were read")),
      missing(
          registry.counter("gantry_jobs_missing_rows_total", "Records for which there is no job")),
      pauses(registry.counter("gantry_jobs_polling_pauses_total",
                              "Times polling Kafka paused because enough work was inside")),
      in_flight(registry.gauge("gantry_jobs_in_flight", "Jobs taken in and not yet ended")),
      running(registry.gauge("gantry_jobs_running",
                             "Jobs whose handler runs or whose end is being "
                             "written")),
      registry_(registry),
      handlers_(handlers) {}

void JobMetrics::started(const jobs::Runnable& job, Instant now) {
    registry_
        .counter("gantry_jobs_started_total", "Tries started",
                 {{"queue", job.queue}, {"type", handlers_.label(job.type)}})
        .increment();
    // A later dispatch has waited for its time, which is no delay.
    if (job.dispatch == 1) {
        registry_
            .histogram("gantry_jobs_start_delay_seconds",
                       "From a job's acceptance to its first start", {{"queue", job.queue}})
            .observe(seconds(now - job.created_at));
    }
}

void JobMetrics::ran(const jobs::Runnable& job, SteadyTime::duration took) {
    registry_
        .histogram("gantry_jobs_handler_duration_seconds", "Time in handlers",
                   {{"queue", job.queue}, {"type", handlers_.label(job.type)}})
        .observe(seconds(took));
}

void JobMetrics::finished(const jobs::Runnable& job, jobs::Ending ending) {
    registry_
        .counter("gantry_jobs_finished_total", "Tries whose end is written, by outcome",
                 {{"queue", job.queue},
                  {"type", handlers_.label(job.type)},
                  {"outcome", std::string(jobs::to_string(ending))}})
        .increment();
}

void JobMetrics::timed_out(const jobs::Runnable& job) {
    registry_
        .counter("gantry_jobs_timeouts_total", "Tries told to stop at their deadline",
                 {{"queue", job.queue}, {"type", handlers_.label(job.type)}})
        .increment();
}

void JobMetrics::raw_event(const std::string& outcome) {
    registry_
        .counter("gantry_jobs_events_total", "CloudEvents that Kafka producers sent as jobs",
                 {{"outcome", outcome}})
        .increment();
}

}  // namespace gantry::worker
