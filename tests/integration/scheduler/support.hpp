#pragma once

#include "definition.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/postgres/pool.hpp"
#include "gantry/testing/test_database.hpp"
#include "options.hpp"
#include "store.hpp"
#include "tick_loop.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace gantry::scheduler::testing {

using gantry::testing::TestDatabase;

/// What a replica's parts need, each with registries of its own, as in a process of its own.
struct Parts {
    metrics::Registry metrics;
    health::Registry health{system_clock()};
    health::Watchdog watchdog{system_clock(), {}};
    hosting::Lifetime lifetime;
    hosting::Context context{"scheduler", "test",   system_clock(), metrics,
                             health,      watchdog, lifetime};
};

inline TickerOptions quick() {
    TickerOptions options;
    options.poll_interval = milliseconds{200};
    return options;
}

/// A scheduler's loop with its own session, as one replica has it. Runs until it is destroyed or
/// stopped.
class Replica {
public:
    explicit Replica(const TestDatabase& db, TickerOptions options = quick())
        : pool_(tick_session(db.options()), parts_.metrics),
          store_(pool_),
          loop_(std::make_unique<TickLoop>(options, store_, parts_.context)) {
        loop_->start({}).value();
    }
    ~Replica() { stop(); }
    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;

    void stop() {
        if (loop_) {
            loop_->stop(Deadline::after(std::chrono::seconds{10})).value();
            loop_.reset();
        }
    }

    [[nodiscard]] std::string metrics() const { return parts_.metrics.text(); }

private:
    Parts parts_;
    postgres::Pool pool_;
    Store store_;
    std::unique_ptr<TickLoop> loop_;
};

/// A ticker that the test steps by itself.
class SteppedReplica {
public:
    explicit SteppedReplica(const TestDatabase& db, TickerOptions options = quick())
        : pool_(tick_session(db.options()), parts_.metrics),
          store_(pool_),
          ticker_(options, store_, system_clock(), parts_.metrics) {}

    /// Steps until something due was looked at as owner or not: a few rounds reach the takeover
    /// time.
    void run_for(milliseconds time) {
        const auto end = Deadline::after(time);
        while (!end.expired()) {
            const auto next = ticker_.run_once({});
            system_clock().sleep_until(std::min(next ? *next : SteadyTime{}, end.at()), {});
        }
    }

private:
    Parts parts_;
    postgres::Pool pool_;
    Store store_;
    Ticker ticker_;
};

inline Definition every_second(std::string name) {
    Definition definition;
    definition.name = std::move(name);
    definition.spec = "* * * * * *";
    definition.queue = "default";
    definition.type = "gantry.noop";
    return definition;
}

/// Applies as the owner `file`; throws on an error.
inline std::vector<AppliedSchedule> applied(const TestDatabase& db,
                                            const std::vector<Definition>& definitions,
                                            std::string_view owner = "file") {
    metrics::Registry registry;
    postgres::Pool pool(db.options(), registry);
    return Store(pool).apply(owner, definitions, Deadline::after(std::chrono::seconds{10})).value();
}

inline std::int64_t number(const TestDatabase& db, std::string_view sql,
                           const postgres::Params& params = {}) {
    return db.exec(sql, params).front().get<std::int64_t>(0);
}

/// Waits until the statement's number is at least `least`; false after `limit`.
inline bool reaches(const TestDatabase& db, std::string_view sql, std::int64_t least,
                    std::chrono::seconds limit = std::chrono::seconds{30}) {
    const auto deadline = Deadline::after(limit);
    while (number(db, sql) < least) {
        if (deadline.expired()) {
            return false;
        }
        system_clock().sleep_for(milliseconds{50}, {});
    }
    return true;
}

constexpr std::string_view kFired = "SELECT count(*) FROM gantry.fire WHERE outcome = 'fired'";
constexpr std::string_view kJobs = "SELECT count(*) FROM gantry.job WHERE source = 'schedule'";

/// Fires whose job is missing, and jobs that no fire made: 0 when each fire made exactly one job.
constexpr std::string_view kMismatches = R"(
    SELECT count(*)
    FROM (SELECT job_id FROM gantry.fire WHERE outcome = 'fired' AND job_id IS NOT NULL) f
    FULL JOIN (SELECT id FROM gantry.job WHERE source = 'schedule') j ON j.id = f.job_id
    WHERE f.job_id IS NULL OR j.id IS NULL)";

/// Seconds between a schedule's first and last fire that have no fire: 0 when none was lost.
constexpr std::string_view kGaps = R"(
    SELECT coalesce(sum(seconds + 1 - fires), 0)::bigint
    FROM (SELECT extract(epoch FROM max(fire_time) - min(fire_time)) AS seconds, count(*) AS fires
          FROM gantry.fire WHERE outcome = 'fired' GROUP BY schedule_id) s)";

/// Makes the database as if no scheduler had run for `length`.
inline void pretend_outage(const TestDatabase& db, std::string_view length) {
    db.exec("UPDATE gantry.schedule SET armed_from = armed_from - $1::interval", {length});
    db.exec(
        "UPDATE gantry.schedule_shard SET watermark = watermark - $1::interval, revision = "
        "revision + 1",
        {length});
}

}  // namespace gantry::scheduler::testing
