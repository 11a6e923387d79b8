#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/jobs/job.hpp"
#include "gantry/metrics/registry.hpp"
#include "gantry/postgres/pool.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace gantry::jobs {

/// Accepts jobs: each call returns after its job and its wake-up are committed. Thread-safe.
///
/// Calls that meet are committed together (group commit): while no commit is under way a job is
/// committed at once, else it waits for the next one with all that gathered, at most 1000. A job
/// that PostgreSQL refuses fails alone. Jobs with a `unique_key` or a `request_id` can wait for
/// another transaction, so each of them has a transaction of its own and delays nobody.
class Enqueuer {
public:
    static constexpr std::size_t kMaxBatch = 1000;

    Enqueuer(postgres::Pool& pool, Clock& clock, metrics::Registry& metrics);

    /// The accepted job; for a unique key in use, or a request id seen before, the first one.
    ///
    /// `invalid_argument` names each field at fault; `not_found` (`QUEUE_NOT_DECLARED`);
    /// `failed_precondition` (`REQUEST_ID_REUSED`): another request had that id; `unavailable`,
    /// `deadline_exceeded`: nothing was accepted; `unknown` (`COMMIT_UNKNOWN`): the connection
    /// broke while committing, and a repeat with the same `request_id` is safe.
    Result<Job> enqueue(const NewJob& job, Deadline deadline);

    /// Enqueues within a transaction of the caller's, which commits. One call waits for other
    /// transactions that use the same unique key. `request_id` is not looked at.
    static Result<Job> enqueue_in(postgres::Transaction& transaction, const NewJob& job,
                                  Instant now);

private:
    // A call that waits for its commit. It lives on the caller's stack until it is answered.
    struct Call {
        const NewJob& job;
        Uuid id;
        bool taken = false;
        std::optional<Result<Job>> answer;
    };
    using Batch = std::vector<Call*>;

    Result<Job> enqueue_plain(const NewJob& job, Deadline deadline);
    Result<Job> enqueue_alone(const NewJob& job, Deadline deadline);
    Batch take_batch();
    void commit(const Batch& batch);
    static Result<void> insert(postgres::Transaction& transaction, std::span<Call* const> calls);
    static Result<void> insert_or_split(postgres::Transaction& transaction,
                                        std::span<Call* const> calls);
    void count(const Result<Job>& answer);

    // Constant after construction.
    postgres::Pool& pool_;
    Clock& clock_;
    // Self-synchronised.
    metrics::Registry& metrics_;
    metrics::Histogram& batch_size_;
    // Guarded by mutex_.
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Call*> waiting_;
    bool committing_ = false;
};

}  // namespace gantry::jobs
