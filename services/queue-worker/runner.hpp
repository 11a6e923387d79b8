#pragma once

#include "gantry/jobs/completer.hpp"
#include "gantry/jobs/handler.hpp"
#include "work.hpp"

#include <memory>
#include <optional>
#include <stop_token>

namespace gantry::worker {

/// Runs tasks: calls the handler and sees to it that its end is written. Thread-safe; each executor
/// thread calls `run`.
class Runner {
public:
    Runner(const jobs::Registry& handlers, jobs::Completer& completer,
           jobs::CompletionStore& completions, Work& work, Clock& clock)
        : handlers_(handlers),
          completer_(completer),
          completions_(completions),
          work_(work),
          clock_(clock) {}

    /// Returns when the handler has returned and its end is written or handed to the completer.
    void run(Task task);

private:
    struct Ended {
        jobs::Outcome outcome;
        jobs::JobContext::Produced produced;
    };
    Ended call_handler(const jobs::Registry::Entry* entry, Run& run);
    jobs::Completion completion_of(const Run& run, Ended& ended) const;
    void write(const std::shared_ptr<Run>& run, Ended ended, const jobs::Registry::Entry* entry);
    /// Writes the end with effects. Gives an error of the effects; every other outcome is settled.
    std::optional<Error> write_with(const std::shared_ptr<Run>& run,
                                    const jobs::Completion& completion,
                                    const jobs::Effects& effects);
    void settle(const Run& run, jobs::Ending ending, jobs::Applied applied);

    // Constant after construction.
    const jobs::Registry& handlers_;
    jobs::Completer& completer_;
    jobs::CompletionStore& completions_;
    Work& work_;
    Clock& clock_;
};

}  // namespace gantry::worker
