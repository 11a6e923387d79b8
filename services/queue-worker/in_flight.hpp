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
        later,  ///< A newer dispatch, or the same read again under a newer epoch; it waits until
                ///< the one inside has ended. One that waited already has ended in its place.
    };
    struct Admission {
        Admitted admitted;
        std::optional<Arrival> displaced;  ///< With `later`: the one that no longer waits.
    };

    Admission admit(const Arrival& arrival);

    /// The job has ended, or is not run after all. Gives the wake-up that waited for it.
    std::optional<Arrival> end(const Uuid& job);

    [[nodiscard]] std::size_t size() const;

private:
    struct Entry {
        std::int64_t dispatch;
        std::int64_t epoch;
        std::string topic;
        std::int32_t partition;
        std::optional<Arrival> waiting;
    };
    static bool is_copy(const Entry& inside, const Arrival& arrival);

    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::unordered_map<Uuid, Entry> entries_;
};

}  // namespace gantry::worker
