#include "store.hpp"

#include "gantry/base/time.hpp"

#include <nlohmann/json.hpp>

namespace gantry::scheduler {
namespace {

constexpr std::string_view kScheduleColumns = R"(
    s.id, s.shard, s.name, s.spec, s.dialect, s.time_zone,
    (extract(epoch FROM s.jitter) * 1000)::bigint, s.catch_up, s.catch_up_limit,
    (extract(epoch FROM s.catch_up_window) * 1000)::bigint, s.data_interval, s.queue, s.topic, s.type,
    s.key, s.payload, s.max_attempts, s.paused, s.owner, s.pause_note, s.armed_from, s.version)";

constexpr std::string_view kShards = R"(
    SELECT clock_timestamp(), shard, watermark, revision
    FROM gantry.schedule_shard
    ORDER BY shard)";

constexpr std::string_view kTick = R"(
    SELECT status, watermark, at, made, refused
    FROM gantry.scheduler_tick($1, $2, $3, $4, $5, $6))";

constexpr std::string_view kApply = R"(
    SELECT name, action FROM gantry.schedule_apply($1, $2, true))";

constexpr std::string_view kMakePartitions = "SELECT FROM gantry.maintain_partitions()";
constexpr std::string_view kDropPartitions = "SELECT gantry.drop_old_partitions()";

std::string load_statement() {
    return "SELECT clock_timestamp(), h.shard, h.watermark, h.revision," +
           std::string(kScheduleColumns) + R"(
        FROM gantry.schedule_shard h
        LEFT JOIN gantry.schedule s ON s.shard = h.shard
        WHERE h.shard = ANY ($1::smallint[])
        ORDER BY h.shard, s.name)";
}

std::string to_json(const std::vector<FireToMake>& fires, Instant now) {
    auto out = nlohmann::json::array();
    for (const auto& fire : fires) {
        nlohmann::json item{{"schedule_id", fire.schedule_id.to_string()},
                            {"fire_time", format_rfc3339_micros(fire.plan.fire_time)},
                            {"due_at", format_rfc3339_micros(fire.plan.due_at)},
                            {"first_fire_time", format_rfc3339_micros(fire.plan.first_fire_time)},
                            {"count", fire.plan.count},
                            {"outcome", to_string(fire.plan.outcome)},
                            {"reason", fire.plan.reason},
                            {"job_id", nullptr},
                            {"event_id", nullptr}};
        if (fire.plan.outcome == Outcome::fired) {
            item["payload"] = fire.payload;
            if (fire.makes_event) {
                item["event_id"] = fire.schedule_name + "/" + format_rfc3339(fire.plan.fire_time);
            } else {
                item["job_id"] = Uuid::v7(now).to_string();
            }
        }
        out.push_back(std::move(item));
    }
    return out.dump();
}

Result<TickStatus> parse_status(std::string_view text) {
    for (const auto status :
         {TickStatus::done, TickStatus::busy, TickStatus::stale, TickStatus::early}) {
        if (to_string(status) == text) {
            return status;
        }
    }
    return fail(Code::internal, "gantry.scheduler_tick answered with an unknown status");
}

}  // namespace

postgres::Options tick_session(postgres::Options options) {
    options.pool_size = 1;
    options.statement_timeout = milliseconds{5'000};
    options.idle_in_transaction_timeout = milliseconds{500};
    options.application_name += "-ticker";
    return options;
}

std::string_view schedule_columns() {
    return kScheduleColumns;
}

std::string_view to_string(TickStatus status) {
    switch (status) {
        case TickStatus::done:
            return "done";
        case TickStatus::busy:
            return "busy";
        case TickStatus::stale:
            return "stale";
        case TickStatus::early:
            return "early";
    }
    return "busy";
}

ScheduleRow read_schedule(const postgres::Row& row, int first) {
    int column = first;
    const auto next = [&column] { return column++; };
    const auto text = [&] { return row.get<std::string>(next()); };
    const auto optional_text = [&] { return row.get<std::optional<std::string>>(next()); };
    const auto duration = [&] { return milliseconds{row.get<std::int64_t>(next())}; };
    ScheduleRow out;
    auto& definition = out.definition;
    out.id = row.get<Uuid>(next());
    out.shard = row.get<int>(next());
    definition.name = text();
    definition.spec = text();
    definition.dialect = text();
    definition.time_zone = text();
    definition.jitter = duration();
    definition.catch_up = parse_catch_up(text()).value_or(CatchUp::latest);
    definition.catch_up_limit = row.get<int>(next());
    definition.catch_up_window = duration();
    definition.data_interval = parse_data_interval(text()).value_or(DataInterval::since_previous);
    definition.queue = optional_text();
    definition.topic = optional_text();
    definition.type = text();
    definition.key = optional_text();
    definition.payload = optional_text();
    definition.max_attempts = row.get<std::optional<int>>(next());
    definition.paused = row.get<bool>(next());
    out.owner = text();
    out.pause_note = text();
    out.armed_from = row.get<Instant>(next());
    out.version = row.get<std::int64_t>(next());
    return out;
}

Result<ShardsSnapshot> Store::shards(Deadline deadline) {
    const auto rows = TRY(pool_->exec(deadline, kShards));
    ShardsSnapshot out;
    for (const auto row : rows) {
        out.server_time = row.get<Instant>(0);
        out.shards.push_back({row.get<int>(1), row.get<Instant>(2), row.get<std::int64_t>(3)});
    }
    if (out.shards.empty()) {
        return fail(Code::failed_precondition,
                    "gantry.schedule_shard has no rows; run gantry-migrate");
    }
    return out;
}

Result<ShardsSnapshot> Store::load(const std::vector<int>& numbers, Deadline deadline) {
    static const std::string statement = load_statement();
    const auto rows = TRY(pool_->exec(deadline, statement, {postgres::array(numbers)}));
    ShardsSnapshot out;
    for (const auto row : rows) {
        out.server_time = row.get<Instant>(0);
        if (out.shards.empty() || out.shards.back().shard != row.get<int>(1)) {
            out.shards.push_back({row.get<int>(1), row.get<Instant>(2), row.get<std::int64_t>(3)});
        }
        constexpr int kFirstColumn = 4;
        if (!row.is_null(kFirstColumn)) {
            out.schedules.push_back(read_schedule(row, kFirstColumn));
        }
    }
    return out;
}

Result<TickReply> Store::tick(const ShardState& from, Instant upto, Advance advance,
                              const std::vector<FireToMake>& fires, Deadline deadline) {
    const auto rows = TRY(pool_->exec(deadline, kTick,
                                      {from.shard, from.revision, from.watermark, upto,
                                       advance == Advance::yes, to_json(fires, upto)}));
    const auto row = rows.front();
    TickReply reply;
    reply.status = TRY(parse_status(row.text(0)));
    reply.watermark = row.get<std::optional<Instant>>(1).value_or(from.watermark);
    reply.server_time = row.get<Instant>(2);
    reply.made = row.get<std::int64_t>(3);
    reply.refused = row.get<std::int64_t>(4);
    return reply;
}

Result<std::vector<AppliedSchedule>> Store::apply(std::string_view owner,
                                                  const std::vector<Definition>& definitions,
                                                  Deadline deadline) {
    const auto rows = TRY(pool_->exec(deadline, kApply, {owner, scheduler::to_json(definitions)}));
    std::vector<AppliedSchedule> out;
    for (const auto row : rows) {
        out.push_back({row.get<std::string>(0), row.get<std::string>(1)});
    }
    return out;
}

Result<void> Store::maintain(Deadline deadline) {
    TRY(pool_->exec(deadline, kMakePartitions));
    TRY(pool_->exec(deadline, kDropPartitions));
    return {};
}

}  // namespace gantry::scheduler
