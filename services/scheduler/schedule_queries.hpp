#pragma once

#include "gantry/postgres/pool.hpp"
#include "store.hpp"

#include <optional>
#include <string>
#include <vector>

namespace gantry::scheduler {

/// A schedule as it is shown.
struct ScheduleView {
    ScheduleRow row;
    std::optional<Instant> last_fire;
    Instant created_at;
    Instant updated_at;
};

/// A row of gantry.fire.
struct FireView {
    Instant fire_time;
    std::string outcome;
    std::string reason;
    Instant due_at;
    Instant first_fire_time;
    std::int64_t count = 0;
    std::optional<Uuid> job_id;
    std::optional<std::string> event_id;
    Instant created_at;
};

/// What the API reads. Thread-safe as its pool is; the pool must outlive it.
class ScheduleQueries {
public:
    explicit ScheduleQueries(postgres::Pool& pool) : pool_(&pool) {}

    /// At most `limit` schedules whose names come after `after`, by name.
    Result<std::vector<ScheduleView>> list(const std::string& after, int limit, Deadline deadline);

    /// `not_found` if there is none.
    Result<ScheduleView> get(const std::string& name, Deadline deadline);

    /// At most `limit` fires of a schedule before `before`, newest first.
    Result<std::vector<FireView>> fires(const Uuid& schedule, std::optional<Instant> before,
                                        int limit, Deadline deadline);

private:
    postgres::Pool* pool_;
};

}  // namespace gantry::scheduler
