#include "gantry/jobs/rescuer.hpp"

#include "gantry/logging/log.hpp"
#include "side_effects.hpp"

#include <utility>

namespace gantry::jobs {
namespace {

constexpr std::string_view kScan =
    "SELECT job, dispatch, beat FROM gantry.job_lease ORDER BY job LIMIT 10000";

// The job first, then its lease, in the order in which a completion locks them.
constexpr std::string_view kLockJobs = R"sql(
SELECT j.id FROM %table% j JOIN unnest($1::uuid[]) AS w (id) ON j.id = w.id
ORDER BY j.id FOR UPDATE OF j)sql";

constexpr std::string_view kTakeLeases = R"sql(
DELETE FROM gantry.job_lease l USING unnest($1::uuid[], $2::bigint[], $3::bigint[])
    AS w (job, dispatch, beat)
WHERE l.job = w.job AND l.dispatch = w.dispatch AND l.beat = w.beat
RETURNING l.job, l.dispatch)sql";

constexpr std::string_view kGiveBack = R"sql(
UPDATE %table% j SET
    dispatch = j.dispatch + 1,
    crash_count = j.crash_count + 1,
    state = CASE WHEN j.crash_count + 1 >= $3::integer THEN 'dead' ELSE 'queued'
            END::gantry.job_state,
    wake_xid = pg_current_xact_id(),
    finished_at = CASE WHEN j.crash_count + 1 >= $3::integer THEN clock_timestamp() END,
    error = 'the worker that ran the job died',
    history = coalesce(j.history, '[]') || jsonb_build_object(
        'attempt', j.attempt, 'at', clock_timestamp(),
        'error', 'the worker that ran the job died')
FROM unnest($1::uuid[], $2::bigint[]) AS w (id, dispatch)
WHERE j.id = w.id AND j.dispatch = w.dispatch AND j.state = 'running'
RETURNING %columns%)sql";

std::string with_table(std::string_view statement, std::string_view table) {
    std::string sql(statement);
    const auto put = [&sql](std::string_view mark, std::string_view text) {
        if (const auto at = sql.find(mark); at != std::string::npos) {
            sql.replace(at, mark.size(), text);
        }
    };
    put("%table%", table);
    put("%columns%", kChangedColumns);
    return sql;
}

constexpr std::string_view kTables[] = {"gantry.job", "gantry.job_kept"};

Result<std::size_t> rescue_in(postgres::Transaction& transaction, std::span<const SeenLease> leases,
                              const std::string& dead_topic) {
    postgres::Params jobs, dispatches, beats;
    for (const auto& lease : leases) {
        jobs.emplace_back(lease.job);
        dispatches.emplace_back(lease.dispatch);
        beats.emplace_back(lease.beat);
    }
    for (const auto table : kTables) {
        TRY(transaction.exec(with_table(kLockJobs, table), {postgres::array(jobs)}));
    }
    const auto taken = TRY(transaction.exec(
        kTakeLeases, {postgres::array(jobs), postgres::array(dispatches), postgres::array(beats)}));
    postgres::Params taken_jobs, taken_dispatches;
    for (const auto row : taken) {
        taken_jobs.emplace_back(row.get<Uuid>(0));
        taken_dispatches.emplace_back(row.get<std::int64_t>(1));
    }
    std::vector<Changed> changes;
    for (const auto table : kTables) {
        const auto rows =
            TRY(transaction.exec(with_table(kGiveBack, table),
                                 {postgres::array(taken_jobs), postgres::array(taken_dispatches),
                                  Rescuer::kMaxCrashes}));
        for (const auto row : rows) {
            changes.push_back(to_changed(row));
            changes.back().reason = "worker_crashed";
        }
    }
    TRY(write_side_effects(transaction, changes, dead_topic));
    return changes.size();
}

}  // namespace

std::vector<SeenLease> StillLeases::look(std::span<const SeenLease> leases, SteadyTime now) {
    std::map<Uuid, Seen> current;
    std::vector<SeenLease> still;
    for (const auto& lease : leases) {
        const auto known = seen_.find(lease.job);
        const bool unchanged = known != seen_.end() && known->second.lease == lease;
        const auto since = unchanged ? known->second.since : now;
        if (now - since >= limit_) {
            still.push_back(lease);
        }
        current.emplace(lease.job, Seen{lease, since});
    }
    seen_ = std::move(current);
    return still;
}

Result<std::size_t> rescue(postgres::Connection& session, std::span<const SeenLease> leases,
                           const std::string& dead_topic) {
    auto transaction = TRY(postgres::Transaction::begin(session));
    const auto count = TRY(rescue_in(transaction, leases, dead_topic));
    TRY(transaction.commit());
    return count;
}

Rescuer::Rescuer(std::string name, hosting::Context& context, postgres::Options database,
                 std::string dead_topic, milliseconds lease_time)
    : hosting::PollingWorker(std::move(name), context, {.interval = milliseconds{500}}),
      database_(std::move(database)),
      dead_topic_(std::move(dead_topic)),
      rescued_(context.metrics.counter("gantry_jobs_rescued_total",
                                       "Jobs taken from workers that died")),
      still_(lease_time) {}

Result<Rescuer::Next> Rescuer::run_once(std::stop_token /*stop*/) {
    if (!session_ || !session_->usable()) {
        still_.forget();
        session_.reset();
        session_ = TRY(postgres::Connection::open(database_));
    }
    const auto rows = session_->exec(kScan);
    if (!rows) {
        session_.reset();
        return std::unexpected(rows.error());
    }
    std::vector<SeenLease> leases;
    leases.reserve(rows->size());
    for (const auto row : *rows) {
        leases.push_back({row.get<Uuid>(0), row.get<std::int64_t>(1), row.get<std::int64_t>(2)});
    }
    const auto still = still_.look(leases, context().clock.steady_now());
    if (still.empty()) {
        return Next::wait;
    }
    const auto count = TRY(rescue(*session_, still, dead_topic_));
    rescued_.increment(static_cast<double>(count));
    if (count > 0) {
        logging::warning("jobs of dead workers were given back", {{"jobs", count}});
    }
    return Next::wait;
}

}  // namespace gantry::jobs
