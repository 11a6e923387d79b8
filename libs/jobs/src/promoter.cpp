#include "gantry/jobs/promoter.hpp"

#include <utility>

namespace gantry::jobs {
namespace {

// A timer whose dispatch is not the job's is void: the row goes, the job stays as it is. now() is
// stable within the statement, so the index serves the comparison.
constexpr std::string_view kPromote = R"sql(
WITH due AS MATERIALIZED (
    SELECT t.run_at, t.job, t.dispatch FROM gantry.job_timer t
    WHERE t.run_at <= now() ORDER BY t.run_at, t.job LIMIT $1::integer FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM gantry.job_timer t USING due d WHERE t.run_at = d.run_at AND t.job = d.job
    RETURNING t.job
), woken AS (
    UPDATE gantry.job j
    SET state = 'queued', dispatch = j.dispatch + 1, wake_xid = pg_current_xact_id(), run_at = NULL
    FROM due d
    WHERE j.id = d.job AND j.dispatch = d.dispatch AND j.state IN ('scheduled', 'retrying')
    RETURNING j.id, j.dispatch, j.queue, j.key, d.run_at
), woken_kept AS (
    UPDATE gantry.job_kept j
    SET state = 'queued', dispatch = j.dispatch + 1, wake_xid = pg_current_xact_id(), run_at = NULL
    FROM due d
    WHERE j.id = d.job AND j.dispatch = d.dispatch AND j.state IN ('scheduled', 'retrying')
    RETURNING j.id, j.dispatch, j.queue, j.key, d.run_at
), sent AS MATERIALIZED (
    SELECT gantry.emit_wakeups(
        array_agg(w.queue ORDER BY w.run_at, w.id), array_agg(w.id ORDER BY w.run_at, w.id),
        array_agg(w.dispatch ORDER BY w.run_at, w.id), array_agg(w.key ORDER BY w.run_at, w.id))
        AS done
    FROM (SELECT * FROM woken UNION ALL SELECT * FROM woken_kept) w HAVING count(*) > 0
)
SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM gone), s.done
FROM (SELECT 1) one LEFT JOIN sent s ON true)sql";

constexpr milliseconds kLimit{10'000};

}  // namespace

Result<std::size_t> promote_due(postgres::Pool& pool, int limit, Deadline deadline) {
    return pool.transact(deadline, [&](postgres::Transaction& transaction) -> Result<std::size_t> {
        const auto rows = TRY(transaction.exec(kPromote, {limit}));
        return static_cast<std::size_t>(rows.front().get<std::int64_t>(0));
    });
}

Promoter::Promoter(std::string name, hosting::Context& context, postgres::Pool& pool,
                   hosting::Interval interval)
    : hosting::PollingWorker(std::move(name), context, {.interval = std::move(interval)}),
      pool_(pool),
      promoted_(context.metrics.counter("gantry_jobs_promoted_total",
                                        "Timers of scheduled and retrying jobs that came due")) {}

Result<Promoter::Next> Promoter::run_once(std::stop_token /*stop*/) {
    const auto count = TRY(promote_due(pool_, kBatch, Deadline::after(kLimit, context().clock)));
    promoted_.increment(static_cast<double>(count));
    return count == static_cast<std::size_t>(kBatch) ? Next::again : Next::wait;
}

}  // namespace gantry::jobs
