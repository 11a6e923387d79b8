#include "schedule_queries.hpp"

namespace gantry::scheduler {
namespace {

constexpr std::string_view kListFires = R"(
    SELECT fire_time, outcome, reason, due_at, first_fire_time, count, job_id, event_id, created_at
    FROM gantry.fire
    WHERE schedule_id = $1 AND ($2::timestamptz IS NULL OR fire_time < $2)
    ORDER BY fire_time DESC
    LIMIT $3)";

std::string select_schedules(std::string_view condition) {
    return "SELECT (SELECT max(f.fire_time) FROM gantry.fire f WHERE f.schedule_id = s.id)," +
           std::string(" s.created_at, s.updated_at,") + std::string(schedule_columns()) +
           " FROM gantry.schedule s WHERE " + std::string(condition);
}

ScheduleView read_view(const postgres::Row& row) {
    return {read_schedule(row, 3), row.get<std::optional<Instant>>(0), row.get<Instant>(1),
            row.get<Instant>(2)};
}

}  // namespace

Result<std::vector<ScheduleView>> ScheduleQueries::list(const std::string& after, int limit,
                                                        Deadline deadline) {
    static const std::string statement = select_schedules("s.name > $1 ORDER BY s.name LIMIT $2");
    const auto rows = TRY(pool_->exec(deadline, statement, {after, limit}));
    std::vector<ScheduleView> out;
    for (const auto row : rows) {
        out.push_back(read_view(row));
    }
    return out;
}

Result<ScheduleView> ScheduleQueries::get(const std::string& name, Deadline deadline) {
    static const std::string statement = select_schedules("s.name = $1");
    const auto rows = TRY(pool_->exec(deadline, statement, {name}));
    if (rows.empty()) {
        return fail(Code::not_found, "There is no schedule of this name.", "SCHEDULE_NOT_FOUND");
    }
    return read_view(rows.front());
}

Result<std::vector<FireView>> ScheduleQueries::fires(const Uuid& schedule,
                                                     std::optional<Instant> before, int limit,
                                                     Deadline deadline) {
    const auto rows = TRY(pool_->exec(deadline, kListFires, {schedule, before, limit}));
    std::vector<FireView> out;
    for (const auto row : rows) {
        out.push_back({row.get<Instant>(0), row.get<std::string>(1), row.get<std::string>(2),
                       row.get<Instant>(3), row.get<Instant>(4), row.get<std::int64_t>(5),
                       row.get<std::optional<Uuid>>(6), row.get<std::optional<std::string>>(7),
                       row.get<Instant>(8)});
    }
    return out;
}

}  // namespace gantry::scheduler
