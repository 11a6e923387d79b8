#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/deadline.hpp"
#include "gantry/jobs/completion.hpp"
#include "gantry/jobs/leases.hpp"
#include "gantry/metrics/registry.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace gantry::jobs {

/// Where ends of tries and wishes for leases are written, so that the completer can be tested
/// without a database.
class CompletionSink {
public:
    virtual ~CompletionSink() = default;
    virtual Result<std::vector<Applied>> complete(std::span<const Completion> completions) = 0;
    virtual Result<std::vector<Applied>> lease(std::span<const LeaseRequest> requests) = 0;
};

/// Collects completions and leases from many threads and writes them in batches on one thread.
///
/// A batch is whatever gathered while the last one was written, at most 1000. While the database is
/// away everything waits, in order, and is tried again with a growing pause; whoever submits keeps
/// the number bounded (`stalled()` tells when to stop feeding). A completion that the database
/// refuses for its content is written as a failure instead, so that it cannot hold up the others.
/// Thread-safe.
class Completer {
public:
    static constexpr std::size_t kMaxBatch = 1000;

    /// Called on the completer's thread once the answer is committed.
    using Done = std::function<void(Applied)>;

    Completer(CompletionSink& sink, Clock& clock, metrics::Registry& metrics);
    /// Gives up what is still waiting: those jobs come back by their offsets or leases.
    ~Completer();
    Completer(const Completer&) = delete;
    Completer& operator=(const Completer&) = delete;

    void complete(Completion completion, Done done);
    void lease(LeaseRequest request, Done done);

    /// Waits until everything submitted before is committed. False if `deadline` passes first.
    bool flush(Deadline deadline);

    /// True while the latest attempt to write failed.
    [[nodiscard]] bool stalled() const { return stalled_.load(std::memory_order_relaxed); }
    /// How many wait to be written, those being written included.
    [[nodiscard]] std::size_t waiting() const;

private:
    struct Ended {
        Completion completion;
        Done done;
    };
    struct Wanted {
        LeaseRequest request;
        Done done;
    };

    void run(const std::stop_token& stop);
    void write(std::vector<Ended>& ended, const std::stop_token& stop);
    void write_one(Ended& item, const std::stop_token& stop);
    void write_leases(std::vector<Wanted>& wanted, const std::stop_token& stop);
    template <class Write>
    auto persist(Write write, const std::stop_token& stop) -> decltype(write());
    void answer(Ended& item, Applied applied);

    // Constant after construction.
    CompletionSink& sink_;
    Clock& clock_;
    // Self-synchronised.
    metrics::Counter& refused_;
    metrics::Counter& failures_;
    metrics::Histogram& batch_size_;
    std::atomic<bool> stalled_{false};
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<Ended> ended_;
    std::deque<Wanted> wanted_;
    std::size_t writing_ = 0;
    // Last: the loop uses the rest.
    std::jthread thread_;
};

/// The sink that writes to PostgreSQL.
class SqlCompletionSink final : public CompletionSink {
public:
    SqlCompletionSink(CompletionStore& completions, LeaseStore& leases)
        : completions_(completions), leases_(leases) {}
    Result<std::vector<Applied>> complete(std::span<const Completion> completions) override;
    Result<std::vector<Applied>> lease(std::span<const LeaseRequest> requests) override;

private:
    CompletionStore& completions_;
    LeaseStore& leases_;
};

}  // namespace gantry::jobs
