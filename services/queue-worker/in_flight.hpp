#pragma once

#include "gantry/base/uuid.hpp"
#include "gantry/jobs/completion.hpp"
#include "gantry/jobs/dispatch.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace gantry::worker {

/// A wake-up with the record that brought it.
struct Arrival {
    jobs::Wakeup wakeup;
    jobs::Source source;
    std::int64_t offset = 0;
};

/// The jobs this process has taken in and not yet ended, so that no two copies of a wake-up run at
/// once. Thread-safe.
class InFlight {
public:
    enum class Admitted {
        yes,    ///< To be checked and run.
        no,     ///< A copy of one that is inside: its record has ended.
        known,  ///< The very record that is inside or waits already: nothing changes.
        later,  ///< A newer dispatch, or the same from where the end of the one inside may be
                ///< refused; it waits until that one has ended. One that waited already has ended
                ///< in its place.
    };
    struct Admission {
        Admitted admitted;
        std::optional<Arrival> displaced;  ///< With `later`: the one that no longer waits.
    };

    Admission admit(const Arrival& arrival);

    /// The job has ended, or is not run after all. Gives the wake-up that waited for it.
    std::optional<Arrival> end(const Uuid& job);

    [[nodiscard]] std::size_t size() const;
    /// Wake-ups that wait for the end of another of their job.
    [[nodiscard]] std::size_t waiting() const;

private:
    struct Entry {
        Arrival inside;
        std::optional<Arrival> waiting;
    };

    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::unordered_map<Uuid, Entry> entries_;
    std::size_t waiting_ = 0;
};

}  // namespace gantry::worker
