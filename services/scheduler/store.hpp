#pragma once

#include "definition.hpp"
#include "gantry/postgres/pool.hpp"
#include "plan.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gantry::scheduler {

/// A shard's row.
struct ShardState {
    int shard = 0;
    Instant watermark;          ///< Every fire due by then is decided.
    std::int64_t revision = 0;  ///< Rises with every edit.
};

/// A schedule's row.
struct ScheduleRow {
    Uuid id;
    int shard = 0;
    Definition definition;  ///< `paused` is always set.
    std::string owner;
    std::string pause_note;
    Instant armed_from;
    std::int64_t version = 0;
};

/// Shards and, where they were asked for, their schedules, as of one moment.
struct ShardsSnapshot {
    Instant server_time;
    std::vector<ShardState> shards;
    std::vector<ScheduleRow> schedules;
};

/// A planned fire with its target's payload.
struct FireToMake {
    Uuid schedule_id;
    std::string schedule_name;
    bool makes_event = false;
    std::string payload;
    PlannedFire plan;
};

enum class TickStatus { done, busy, stale, early };
std::string_view to_string(TickStatus status);

/// What `gantry.scheduler_tick` answered.
struct TickReply {
    TickStatus status = TickStatus::busy;
    Instant watermark;
    Instant server_time;
    std::int64_t made = 0;
    std::int64_t refused = 0;
};

/// What applying did to one schedule.
struct AppliedSchedule {
    std::string name;
    std::string
        action;  ///< created, updated, unchanged, deleted, or kept: it belongs to another owner.
};

/// The scheduler's statements. Thread-safe as its pool is; the pool must outlive it.
class Store {
public:
    explicit Store(postgres::Pool& pool) : pool_(&pool) {}

    /// Every shard's row.
    Result<ShardsSnapshot> shards(Deadline deadline);

    /// The rows of `numbers` and all their schedules, in one snapshot.
    Result<ShardsSnapshot> load(const std::vector<int>& numbers, Deadline deadline);

    /// One tick of a shard; see `gantry.scheduler_tick`. With `Advance::yes` the watermark moves to
    /// `upto`.
    enum class Advance { no, yes };
    Result<TickReply> tick(const ShardState& from, Instant upto, Advance advance,
                           const std::vector<FireToMake>& fires, Deadline deadline);

    /// Makes the schedules of `owner` what `definitions` say and deletes the rest of that owner.
    Result<std::vector<AppliedSchedule>> apply(std::string_view owner,
                                               const std::vector<Definition>& definitions,
                                               Deadline deadline);

    /// Makes partitions ahead and drops old ones.
    Result<void> maintain(Deadline deadline);

private:
    postgres::Pool* pool_;
};

/// `options` for the ticker's own pool: one session whose timeouts are so short that a replica that
/// was stopped in a transaction cannot hold a shard.
postgres::Options tick_session(postgres::Options options);

/// Reads a row of the columns `schedule_columns()`, starting at column `first`.
ScheduleRow read_schedule(const postgres::Row& row, int first);

/// Columns of `gantry.schedule s` in the order of `read_schedule`.
std::string_view schedule_columns();

}  // namespace gantry::scheduler
