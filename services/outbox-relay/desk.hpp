#pragma once

#include "gantry/hosting/context.hpp"
#include "options.hpp"
#include "publisher.hpp"
#include "stats.hpp"
#include "store.hpp"
#include "topic_directory.hpp"
#include "wake_fd.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace gantry::relay {

/// How a stretch of reading ended without a fault.
enum class Ended { stopped, mode_changed };

/// What a leader works with, whichever way it reads: its lease, its stores, its tools. Used by the
/// relay's loop only.
struct Desk {
    const Options& options;
    hosting::Context& context;
    Stats& stats;
    TopicDirectory& topics;
    WakeFd& bell;
    Store& store;
    std::stop_token stop;
    std::int64_t epoch = 0;
    SteadyTime lease_until{};
    std::function<void()> beat;
    std::function<void(health::Status, std::string)> report;
    /// After a change to WAL mode: what polling has published although the new slot repeats it.
    std::optional<Snapshot> already_published{};

    /// Renews the lease and stores what `tick` holds; epoch and time to live are filled in.
    Result<TickAnswer> keep(Tick tick);

    /// `aborted` with reason FENCED when the lease may have run out: a process that was frozen
    /// finds out here, before it sends anything.
    [[nodiscard]] Result<void> check_lease() const;

    /// A publisher with a producer of its own.
    Result<std::unique_ptr<Publisher>> publisher(Position progress);

    /// Waits for a ring, `fd` (−1 for none) with the poll(2) `events`, or `limit`.
    void wait(milliseconds limit, int fd = -1, short events = 0);

    /// Refreshes the gauges that need a query, now and then. Faults do not matter.
    void refresh_gauges(const std::string& slot);

    SteadyTime next_gauges{};
};

/// How often a leader renews its lease and stores progress.
inline constexpr milliseconds kTickInterval{1'000};

}  // namespace gantry::relay
