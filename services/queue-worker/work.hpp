#pragma once

#include "gantry/jobs/completer.hpp"
#include "in_flight.hpp"
#include "job_metrics.hpp"
#include "key_gate.hpp"
#include "partition_book.hpp"
#include "runs.hpp"
#include "task_queue.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace gantry::worker {

/// What the poll thread, the executors and the lease keeper share: where every job taken in is,
/// from its record's arrival to the commit of its end. Thread-safe.
class Work {
public:
    Work(std::size_t channel_capacity, JobMetrics& job_metrics,
         std::shared_ptr<channel::Meter> meter = {})
        : queue(channel_capacity, std::move(meter)), metrics(job_metrics) {}

    /// A checked job: to a thread, or behind the one of its key that is inside.
    void start(Task task) {
        bytes_ += task.job.payload.size();
        if (task.job.key.empty()) {
            queue.feed(std::move(task));
            return;
        }
        const auto key = gate_key(task);
        if (auto first = gate.enter(key, std::move(task))) {
            queue.feed(*std::move(first));
        }
    }

    enum class Record { done, kept };

    /// A started task has ended; with `done` its record need not be read again.
    void end(const Task& task, Record record) {
        bytes_ -= task.job.payload.size();
        // Before the key's next one can end: what waits for either is looked at again in order.
        end_arrival(task.job.id, task.source, task.offset, record);
        if (!task.job.key.empty()) {
            if (auto next = gate.leave(gate_key(task))) {
                queue.feed(*std::move(next));
            }
        }
    }

    /// The same for one that was never started.
    void end_arrival(const Uuid& job, const jobs::Source& source, std::int64_t offset,
                     Record record) {
        if (record == Record::done) {
            book.done(source, offset);
        }
        if (auto waiting = in_flight.end(job)) {
            const std::lock_guard lock(mutex_);
            waiting_.push_back(*std::move(waiting));
        }
    }

    /// Wake-ups whose predecessor has ended: to be looked at again.
    std::vector<Arrival> take_waiting() {
        const std::lock_guard lock(mutex_);
        return std::exchange(waiting_, {});
    }

    /// Bytes of payload of the tasks that are inside.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    // Self-synchronised.
    PartitionBook book;
    InFlight in_flight;
    KeyGate<Task> gate;
    TaskQueue queue;
    Runs runs;
    JobMetrics& metrics;
    std::atomic<bool> stopping{false};  ///< The process stops: start nothing more.

private:
    static std::string gate_key(const Task& task) { return task.job.queue + "/" + task.job.key; }

    std::atomic<std::size_t> bytes_{0};
    // Guarded by mutex_.
    std::mutex mutex_;
    std::vector<Arrival> waiting_;
};

}  // namespace gantry::worker
