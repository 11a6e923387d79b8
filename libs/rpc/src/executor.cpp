#include "gantry/rpc/executor.hpp"

#include "gantry/base/ensure.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace gantry::rpc {

class Executor::Impl {
public:
    Impl(int threads, std::size_t queue)
        : thread_limit_(static_cast<std::size_t>(threads)), queue_limit_(queue) {
        ENSURE(threads > 0, "an executor has at least one thread");
    }

    ~Impl() { close(); }

    bool submit(Task task) {
        const std::lock_guard lock(mutex_);
        if (closed_ || tasks_.size() >= queue_limit_) {
            return false;
        }
        tasks_.push_back(std::move(task));
        if (idle_ < tasks_.size() && threads_.size() < thread_limit_) {
            ++running_;
            threads_.emplace_back([this] { work(); });
        } else {
            available_.notify_one();
        }
        return true;
    }

    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        available_.notify_all();
    }

    Result<void> await_end(Deadline limit) {
        std::unique_lock lock(mutex_);
        const bool ended =
            ended_.wait_for(lock, limit.remaining(), [this] { return running_ == 0; });
        if (!ended) {
            return fail(Code::deadline_exceeded,
                        std::to_string(running_ - idle_) + " handlers still run");
        }
        return {};
    }

    std::size_t waiting() const {
        const std::lock_guard lock(mutex_);
        return tasks_.size();
    }

private:
    void work() {
        std::unique_lock lock(mutex_);
        while (true) {
            ++idle_;
            available_.wait(lock, [this] { return closed_ || !tasks_.empty(); });
            --idle_;
            if (tasks_.empty()) {
                break;
            }
            Task task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            task();
            task = nullptr;  // what it holds is released outside the lock, too
            lock.lock();
        }
        --running_;
        ended_.notify_all();
    }

    // Constant after construction.
    const std::size_t thread_limit_;
    const std::size_t queue_limit_;
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::condition_variable available_;
    std::condition_variable ended_;
    std::deque<Task> tasks_;
    std::size_t idle_ = 0;
    std::size_t running_ = 0;
    bool closed_ = false;
    std::vector<std::jthread> threads_;
};

Executor::Executor(int threads, std::size_t queue)
    : impl_(std::make_unique<Impl>(threads, queue)) {}

Executor::~Executor() = default;

bool Executor::submit(Task task) {
    return impl_->submit(std::move(task));
}

Result<void> Executor::stop(Deadline limit) {
    impl_->close();
    return impl_->await_end(limit);
}

std::size_t Executor::waiting() const {
    return impl_->waiting();
}

}  // namespace gantry::rpc
