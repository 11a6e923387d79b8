#include "gantry/hosting/queue_worker.hpp"

#include "gantry/logging/log.hpp"

#include <pthread.h>
#include <algorithm>

namespace gantry::hosting {
namespace {

// How long an idle thread waits before it beats.
constexpr milliseconds kIdleBeat{3'000};

metrics::Counter& items(Context& context, const std::string& name, const std::string& outcome) {
    return context.metrics.counter("gantry_queue_items_total", "Items of queue workers.",
                                   {{"worker", name}, {"outcome", outcome}});
}

}  // namespace

QueueThreads::QueueThreads(std::string name, Context& context, Options options)
    : name_(std::move(name)),
      context_(context),
      options_(options),
      succeeded_(items(context, name_, "success")),
      failed_(items(context, name_, "failure")),
      undone_(items(context, name_, "undone")),
      duration_(context.metrics.histogram("gantry_queue_item_duration_seconds",
                                          "How long handling an item takes.",
                                          {{"worker", name_}})) {}

QueueThreads::~QueueThreads() = default;

Result<void> QueueThreads::start(std::stop_token /*aborted*/) {
    const int count = std::max(options_.threads, 1);
    running_ = count;
    for (int i = 0; i < count; ++i) {
        auto heartbeat = context_.watchdog.watch(name_);
        threads_.emplace_back([this, heartbeat](std::stop_token stop) {
            run(stop, heartbeat);
            heartbeat->pause();
            if (--running_ == 0) {
                all_ended_.request_stop();
            }
        });
        constexpr std::size_t kLongestThreadName = 15;
        const std::string suffix = "-" + std::to_string(i);
        pthread_setname_np(threads_.back().native_handle(),
                           (name_.substr(0, kLongestThreadName - suffix.size()) + suffix).c_str());
    }
    return {};
}

void QueueThreads::run(const std::stop_token& stop,
                       const std::shared_ptr<health::Heartbeat>& heartbeat) {
    Next next = Next::more;
    while (next != Next::end) {
        heartbeat->beat();
        next = take_one(stop, kIdleBeat, heartbeat);
    }
}

QueueThreads::Outcome QueueThreads::handle(const std::stop_token& stop,
                                           const std::shared_ptr<health::Heartbeat>& heartbeat,
                                           const std::function<Result<void>(Scope&)>& body) {
    const SteadyTime began = context_.clock.steady_now();
    const Deadline deadline = options_.item_limit > milliseconds{0}
                                  ? Deadline{began + options_.item_limit}
                                  : Deadline::never();
    Result<void> result;
    {
        Scope scope(context_.clock, {.name = name_,
                                     .kind = tracing::SpanKind::consumer,
                                     .deadline = deadline,
                                     .stop = stop,
                                     .heartbeat = heartbeat});
        result = scope.run(body);
        if (!result) {
            if (stop.stop_requested() && result.error().code == Code::cancelled) {
                undone_.increment();
                return Outcome::undone;
            }
            failed(result.error());  // In the scope, so that the log shows its trace.
        }
    }
    const std::chrono::duration<double> took = context_.clock.steady_now() - began;
    duration_.observe(took.count());
    if (!result) {
        return Outcome::failed;
    }
    succeeded_.increment();
    return Outcome::succeeded;
}

void QueueThreads::failed(const Error& error) {
    failed_.increment();
    context_.lifetime.record_error(name_, error, context_.clock.now());
    if (const auto held_back = throttle_.pass(context_.clock.steady_now())) {
        logging::warning("item failed", error, {{"worker", name_}, {"held_back", *held_back}});
    }
}

bool QueueThreads::wait_for_threads(SteadyTime limit) {
    return threads_.empty() || !context_.clock.sleep_until(limit, all_ended_.get_token()) ||
           all_ended_.stop_requested();
}

Result<void> QueueThreads::stop(Deadline limit) {
    close_channel();
    const SteadyTime now = context_.clock.steady_now();
    const SteadyTime::duration left = std::max(limit.at() - now, SteadyTime::duration{0});
    const SteadyTime give_up =
        limit.is_never()
            ? limit.at()
            : limit.at() - std::min<SteadyTime::duration>(options_.give_up_before, left / 2);
    bool ended = wait_for_threads(give_up);
    if (!ended) {
        for (std::jthread& thread : threads_) {
            thread.request_stop();
        }
        ended = wait_for_threads(limit.at());
    }
    if (const std::size_t rest = undo_rest(); rest > 0) {
        undone_.increment(static_cast<double>(rest));
    }
    if (const auto undone = counts().undone; undone > 0) {
        logging::warning("items were not handled before the stop",
                         {{"worker", name_}, {"items", undone}});
    }
    if (!ended) {
        return fail(Code::deadline_exceeded, std::to_string(running_.load()) + " threads of `" +
                                                 name_ + "` did not end in time");
    }
    return {};
}

void QueueThreads::join() {
    close_channel();
    for (std::jthread& thread : threads_) {
        thread.request_stop();
    }
    threads_.clear();
}

QueueThreads::Counts QueueThreads::counts() const {
    const auto count = [](const metrics::Counter& counter) {
        return static_cast<std::uint64_t>(counter.value());
    };
    return {count(succeeded_), count(failed_), count(undone_)};
}

}  // namespace gantry::hosting
