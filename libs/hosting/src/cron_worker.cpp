#include "gantry/hosting/cron_worker.hpp"

#include "gantry/logging/log.hpp"

#include <algorithm>
#include <utility>

namespace gantry::hosting {
namespace {

// The wall clock may be set while it is waited for, and an idle loop has to beat.
constexpr milliseconds kSlice{1'000};

metrics::Counter& runs(Context& context, const std::string& name, const std::string& outcome) {
    return context.metrics.counter("gantry_cron_runs_total", "Fires of in-process schedules.",
                                   {{"worker", name}, {"outcome", outcome}});
}

}  // namespace

CronWorker::CronWorker(std::string name, Context& context, Schedule next, Work work)
    : BackgroundService(std::move(name), context),
      next_(std::move(next)),
      work_(std::move(work)),
      successes_(runs(context, this->name(), "success")),
      failures_(runs(context, this->name(), "failure")),
      missed_(runs(context, this->name(), "missed")),
      duration_(context.metrics.histogram("gantry_cron_run_duration_seconds",
                                          "How long a run of an in-process schedule takes.",
                                          {{"worker", this->name()}})) {}

Result<void> CronWorker::execute(std::stop_token stop) {
    Instant last = context().clock.now();
    while (!stop.stop_requested()) {
        const std::optional<Instant> fire = next_(last);
        if (!fire) {
            logging::info("the schedule has no further fire", {{"worker", name()}});
        }
        if (!wait_for(fire.value_or(Instant::max()), stop)) {
            break;
        }
        run(stop);
        count_missed(*fire);
        // Not from a clock that was set back: the same fires would come again.
        last = std::max(*fire, context().clock.now());
    }
    return {};
}

bool CronWorker::wait_for(Instant fire, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        beat();
        const Instant now = context().clock.now();
        if (now >= fire) {
            return true;
        }
        const auto pause = std::min<SteadyTime::duration>(fire - now, kSlice);
        context().clock.sleep_for(pause, stop);
    }
    return false;
}

void CronWorker::run(const std::stop_token& stop) {
    const SteadyTime began = context().clock.steady_now();
    Scope scope(context().clock, {.name = name(), .stop = stop, .heartbeat = heartbeat()});
    const auto result = scope.run(work_);
    const std::chrono::duration<double> took = context().clock.steady_now() - began;
    duration_.observe(took.count());
    if (result) {
        succeeded();
    } else if (!stop.stop_requested() || result.error().code != Code::cancelled) {
        failed(result.error());
    }
}

void CronWorker::succeeded() {
    successes_.increment();
    report(health::Status::healthy, "running");
    if (std::exchange(failing_, false)) {
        logging::info("scheduled run succeeds again", {{"worker", name()}});
    }
}

void CronWorker::failed(const Error& error) {
    failures_.increment();
    failing_ = true;
    context().lifetime.record_error(name(), error, context().clock.now());
    report(health::Status::degraded, "last run failed: " + error_kind(error));
    logging::warning("scheduled run failed", error, {{"worker", name()}});
}

void CronWorker::count_missed(Instant fire) {
    // A schedule of every second behind a long run: nobody needs the exact number.
    constexpr int kMost = 1'000;
    const Instant now = context().clock.now();
    int missed = 0;
    for (auto next = next_(fire); next && *next <= now && missed < kMost; next = next_(*next)) {
        ++missed;
    }
    if (missed > 0) {
        missed_.increment(missed);
        logging::warning("scheduled runs were missed, the last one took too long",
                         {{"worker", name()}, {"missed", missed}});
    }
}

}  // namespace gantry::hosting
