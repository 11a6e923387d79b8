#include "gantry/jobs/completer.hpp"

#include "gantry/base/backoff.hpp"
#include "gantry/logging/log.hpp"

#include <algorithm>
#include <utility>

namespace gantry::jobs {
namespace {

constexpr milliseconds kWriteLimit{5'000};

// Results of one statement together; PostgreSQL's limit for a parameter is far above.
constexpr std::size_t kMaxBytes = std::size_t{8} << 20;

/// Takes items from the front: at most `most`, and not many more bytes than kMaxBytes.
template <class Item, class Weight>
std::vector<Item> take(std::deque<Item>& from, std::size_t most, Weight weight) {
    std::vector<Item> taken;
    taken.reserve(std::min(most, from.size()));
    for (std::size_t bytes = 0; !from.empty() && taken.size() < most && bytes < kMaxBytes;) {
        bytes += weight(from.front());
        taken.push_back(std::move(from.front()));
        from.pop_front();
    }
    return taken;
}

}  // namespace

Result<std::vector<Applied>> SqlCompletionSink::complete(std::span<const Completion> completions) {
    return completions_.complete(completions, Deadline::after(kWriteLimit));
}

Result<std::vector<Applied>> SqlCompletionSink::lease(std::span<const LeaseRequest> requests) {
    return leases_.take(requests, Deadline::after(kWriteLimit));
}

Completer::Completer(CompletionSink& sink, Clock& clock, metrics::Registry& metrics)
    : sink_(sink),
      clock_(clock),
      refused_(metrics.counter("gantry_jobs_refused_completions_total",
                               "Ends of tries that the fence refused: the job had moved on")),
      failures_(metrics.counter("gantry_jobs_completion_failures_total",
                                "Attempts to write ends of tries that failed")),
      batch_size_(metrics.histogram("gantry_jobs_completion_batch_size",
                                    "Ends of tries written by one transaction", {},
                                    {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000})),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Completer::~Completer() {
    thread_.request_stop();
    changed_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Completer::complete(Completion completion, Done done) {
    {
        const std::lock_guard lock(mutex_);
        ended_.push_back({std::move(completion), std::move(done)});
    }
    changed_.notify_all();
}

void Completer::lease(LeaseRequest request, Done done) {
    {
        const std::lock_guard lock(mutex_);
        wanted_.push_back({std::move(request), std::move(done)});
    }
    changed_.notify_all();
}

bool Completer::flush(Deadline deadline) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, deadline.remaining(clock_),
                             [this] { return ended_.empty() && wanted_.empty() && writing_ == 0; });
}

std::size_t Completer::waiting() const {
    const std::lock_guard lock(mutex_);
    return ended_.size() + wanted_.size() + writing_;
}

void Completer::run(const std::stop_token& stop) {
    while (true) {
        std::vector<Ended> ended;
        std::vector<Wanted> wanted;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, stop, [this] { return !ended_.empty() || !wanted_.empty(); });
            if (stop.stop_requested()) {
                return;
            }
            ended = take(ended_, kMaxBatch, [](const Ended& item) {
                return item.completion.result ? item.completion.result->size() : 0;
            });
            wanted = take(wanted_, kMaxBatch, [](const Wanted&) { return std::size_t{0}; });
            writing_ = ended.size() + wanted.size();
        }
        write_leases(wanted, stop);
        write(ended, stop);
        {
            const std::lock_guard lock(mutex_);
            writing_ = 0;
        }
        changed_.notify_all();
    }
}

template <class Write>
auto Completer::persist(Write write, const std::stop_token& stop) -> decltype(write()) {
    Backoff backoff({milliseconds{50}, milliseconds{2'000}, milliseconds{10}});
    while (true) {
        auto written = write();
        // An unclear COMMIT is tried again, too: if it did commit, the fence refuses the repeat.
        if (written || refuses_content(written.error())) {
            stalled_.store(false, std::memory_order_relaxed);
            return written;
        }
        failures_.increment();
        if (!stalled_.exchange(true, std::memory_order_relaxed)) {
            logging::warning("ends of jobs cannot be written; they wait", written.error());
        }
        if (!clock_.sleep_for(backoff.next(), stop)) {
            return written;
        }
    }
}

void Completer::write_leases(std::vector<Wanted>& wanted, const std::stop_token& stop) {
    if (wanted.empty()) {
        return;
    }
    std::vector<LeaseRequest> requests;
    requests.reserve(wanted.size());
    for (const auto& item : wanted) {
        requests.push_back(item.request);
    }
    const auto answers = persist([&] { return sink_.lease(requests); }, stop);
    if (!answers && !stop.stop_requested()) {
        logging::error("leases could not be taken", answers.error());
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        wanted[i].done(answers ? answers->at(i) : Applied::unwritten);
    }
}

void Completer::write(std::vector<Ended>& ended, const std::stop_token& stop) {
    if (ended.empty()) {
        return;
    }
    batch_size_.observe(static_cast<double>(ended.size()));
    std::vector<Completion> batch;
    batch.reserve(ended.size());
    for (auto& item : ended) {
        batch.push_back(item.completion);
    }
    const auto answers = persist([&] { return sink_.complete(batch); }, stop);
    if (answers) {
        for (std::size_t i = 0; i < ended.size(); ++i) {
            answer(ended[i], answers->at(i));
        }
        return;
    }
    if (stop.stop_requested()) {
        return;
    }
    // One of them is at fault: apart, the others come through.
    for (auto& item : ended) {
        write_one(item, stop);
    }
}

void Completer::write_one(Ended& item, const std::stop_token& stop) {
    auto written = persist([&] { return sink_.complete({&item.completion, 1}); }, stop);
    if (!written && !stop.stop_requested()) {
        failures_.increment();
        logging::error("the end of a job was refused by the database", written.error(),
                       {{"job", item.completion.job}});
        auto& completion = item.completion;
        completion.result.reset();
        completion.ending = Ending::retrying;
        completion.delay = milliseconds{60'000};
        completion.error = "the end of the try could not be stored";
        written = persist([&] { return sink_.complete({&completion, 1}); }, stop);
    }
    if (written) {
        answer(item, written->front());
    } else if (!stop.stop_requested()) {
        answer(item, Applied::unwritten);
    }
}

void Completer::answer(Ended& item, Applied applied) {
    if (applied == Applied::refused) {
        refused_.increment();
    }
    item.done(applied);
}

}  // namespace gantry::jobs
