#include "runs.hpp"

#include <utility>

namespace gantry::worker {

std::shared_ptr<Run> Runs::start(Task task, const Clock& clock) {
    auto run = std::make_shared<Run>(std::move(task), clock.now(), clock.steady_now());
    const std::lock_guard lock(mutex_);
    runs_.insert_or_assign(run->task.job.id, run);
    return run;
}

void Runs::handler_ended(Run& run) {
    {
        const std::lock_guard lock(mutex_);
        run.handler_ended = true;
    }
    changed_.notify_all();
}

void Runs::finish(const Run& run) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = runs_.find(run.task.job.id);
        if (found != runs_.end() && found->second.get() == &run) {
            runs_.erase(found);
        }
    }
    changed_.notify_all();
}

std::vector<std::shared_ptr<Run>> Runs::all() const {
    const std::lock_guard lock(mutex_);
    return matching([](const Run&) { return true; });
}

std::size_t Runs::size() const {
    const std::lock_guard lock(mutex_);
    return runs_.size();
}

std::vector<std::shared_ptr<Run>> Runs::matching(
    const std::function<bool(const Run&)>& matches) const {
    std::vector<std::shared_ptr<Run>> found;
    for (const auto& [id, run] : runs_) {
        if (matches(*run)) {
            found.push_back(run);
        }
    }
    return found;
}

std::vector<std::shared_ptr<Run>> Runs::wait_until_none(
    const std::function<bool(const Run&)>& matches, Deadline deadline) const {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, deadline.remaining(), [&] { return matching(matches).empty(); });
    return matching(matches);
}

}  // namespace gantry::worker
