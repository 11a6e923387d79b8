#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"

#include <cstddef>
#include <functional>
#include <memory>

namespace gantry::rpc {

/// A fixed number of threads with a bounded queue, for handlers that block (on PostgreSQL, say),
/// because gRPC's own callback threads never may. Thread-safe.
class Executor {
public:
    using Task = std::move_only_function<void()>;

    /// Threads start with the first task.
    Executor(int threads, std::size_t queue);
    /// Runs what is queued and joins.
    ~Executor();
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    /// Queues `task`; false if the queue is full or the executor was stopped.
    bool submit(Task task);

    /// Takes no more tasks and waits until those inside are done. `deadline_exceeded` if they are
    /// not by `limit`. Idempotent.
    Result<void> stop(Deadline limit);

    /// Tasks that wait for a thread.
    [[nodiscard]] std::size_t waiting() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::rpc
