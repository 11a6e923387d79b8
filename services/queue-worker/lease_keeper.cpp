#include "lease_keeper.hpp"

#include "gantry/logging/log.hpp"
#include "gantry/tracing/trace.hpp"

#include <map>
#include <vector>

namespace gantry::worker {
namespace {

constexpr milliseconds kTick{100};
constexpr milliseconds kBeat{2'000};
constexpr milliseconds kLimit{1'500};

}  // namespace

void request_lease(Work& work, jobs::Completer& completer, const std::shared_ptr<Run>& run) {
    auto none = Run::Lease::none;
    if (!run->lease.compare_exchange_strong(none, Run::Lease::wanted)) {
        return;
    }
    const auto& job = run->task.job;
    completer.lease({job.id, job.dispatch, job.queue, run->task.source, run->started_at},
                    [&work, run](jobs::Applied applied) {
                        if (applied == jobs::Applied::done) {
                            run->lease = Run::Lease::held;
                            work.book.done(run->task.source, run->task.offset);
                        } else if (applied == jobs::Applied::refused && !run->handler_ended) {
                            run->stop.request_stop();
                        }
                    });
}

Result<void> LeaseKeeper::execute(std::stop_token stop) {
    while (context().clock.sleep_for(kTick, stop)) {
        beat();
        look();
        if (context().clock.steady_now() >= next_beat_) {
            next_beat_ = context().clock.steady_now() + kBeat;
            beat_leases();
        }
    }
    return {};
}

void LeaseKeeper::look() {
    const auto now = context().clock.steady_now();
    for (const auto& run : work_.runs.all()) {
        if (run->handler_ended) {
            continue;
        }
        if (now - run->started >= lease_after_) {
            request_lease(work_, completer_, run);
        }
        if (now >= run->deadline && !run->timed_out.exchange(true)) {
            work_.metrics.timed_out(run->task.job);
            run->stop.request_stop();
        }
    }
}

void LeaseKeeper::beat_leases() {
    std::vector<jobs::HeldLease> held;
    std::map<Uuid, std::shared_ptr<Run>> runs;
    for (const auto& run : work_.runs.all()) {
        if (run->lease == Run::Lease::held) {
            held.push_back({run->task.job.id, run->task.job.dispatch});
            runs.emplace(run->task.job.id, run);
        }
    }
    if (held.empty()) {
        return;
    }
    const auto lost = leases_.beat(held, Deadline::after(kLimit, context().clock));
    if (!lost) {
        // A rescuer waits out an outage that it sees too; the next beat is soon.
        logging::warning("leases could not be beaten", lost.error());
        return;
    }
    for (const auto& lease : *lost) {
        const auto found = runs.find(lease.job);
        // One whose end was just written has no lease any more.
        if (found != runs.end() && !found->second->handler_ended) {
            const tracing::ScopedTrace scope(
                tracing::parse_traceparent(found->second->task.job.traceparent)
                    .value_or(tracing::TraceContext{}));
            logging::warning("a lease was lost; its handler is told to stop", {{"job", lease.job}});
            found->second->stop.request_stop();
        }
    }
}

}  // namespace gantry::worker
