#include "gantry/jobs/leases.hpp"

#include "fence.hpp"

#include <map>
#include <set>
#include <utility>

namespace gantry::jobs {
namespace {

// A lease row that was left behind belongs to an older dispatch and gives way.
constexpr std::string_view kTake = R"sql(
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[],
                         $6::integer[], $7::bigint[])
        AS w (job, dispatch, started_at, queue, topic, partition, epoch)
), running AS (
    UPDATE gantry.job j SET state = 'running', started_at = w.started_at
    FROM wanted w WHERE j.id = w.job AND j.dispatch = w.dispatch AND j.state = 'queued'
    RETURNING j.id
), running_kept AS (
    UPDATE gantry.job_kept j SET state = 'running', started_at = w.started_at
    FROM wanted w WHERE j.id = w.job AND j.dispatch = w.dispatch AND j.state = 'queued'
    RETURNING j.id
)
INSERT INTO gantry.job_lease AS l (job, dispatch, epoch, partition, owner, queue, topic)
SELECT w.job, w.dispatch, w.epoch, w.partition, $8, w.queue, w.topic
FROM wanted w JOIN (SELECT id FROM running UNION ALL SELECT id FROM running_kept) r ON r.id = w.job
ORDER BY w.job
ON CONFLICT (job) DO UPDATE SET
    dispatch = excluded.dispatch, epoch = excluded.epoch, beat = 0, taken_at = clock_timestamp(),
    partition = excluded.partition, owner = excluded.owner, queue = excluded.queue,
    topic = excluded.topic
RETURNING l.job)sql";

// Those that an attempt took whose answer was lost.
constexpr std::string_view kHeld = R"sql(
SELECT l.job FROM gantry.job_lease l
JOIN unnest($1::uuid[], $2::bigint[]) AS w (job, dispatch)
  ON l.job = w.job AND l.dispatch = w.dispatch
WHERE l.owner = $3)sql";

// A lease whose row is locked is being ended or rescued right now: it needs no beat.
constexpr std::string_view kBeat = R"sql(
WITH mine AS MATERIALIZED (
    SELECT l.job FROM gantry.job_lease l
    JOIN unnest($1::uuid[], $2::bigint[]) AS w (job, dispatch)
      ON l.job = w.job AND l.dispatch = w.dispatch
    WHERE l.owner = $3
    ORDER BY l.job FOR UPDATE OF l SKIP LOCKED
)
UPDATE gantry.job_lease l SET beat = l.beat + 1 FROM mine m WHERE l.job = m.job)sql";

constexpr std::string_view kLost = R"sql(
SELECT w.job, w.dispatch FROM unnest($1::uuid[], $2::bigint[]) AS w (job, dispatch)
WHERE NOT EXISTS (SELECT FROM gantry.job_lease l
                  WHERE l.job = w.job AND l.dispatch = w.dispatch AND l.owner = $3))sql";

}  // namespace

Result<std::vector<Applied>> LeaseStore::take(std::span<const LeaseRequest> requests,
                                              Deadline deadline) {
    return pool_.transact(
        deadline, [&](postgres::Transaction& transaction) -> Result<std::vector<Applied>> {
            std::vector<const Source*> sources;
            for (const auto& request : requests) {
                sources.push_back(&request.source);
            }
            const auto fence = TRY(EpochFence::lock(transaction, sources));
            std::vector<Applied> answers(requests.size(), Applied::refused);
            postgres::Params jobs, dispatches, started, queues, topics, partitions, epochs;
            std::map<Uuid, std::size_t> numbers;
            for (std::size_t i = 0; i < requests.size(); ++i) {
                const auto& request = requests[i];
                if (!fence.holds(request.source)) {
                    continue;
                }
                numbers.emplace(request.job, i);
                jobs.emplace_back(request.job);
                dispatches.emplace_back(request.dispatch);
                started.emplace_back(request.started_at);
                queues.emplace_back(request.queue);
                topics.emplace_back(request.source.topic);
                partitions.emplace_back(request.source.partition);
                epochs.emplace_back(request.source.epoch);
            }
            if (numbers.empty()) {
                return answers;
            }
            const auto rows = TRY(transaction.exec(
                kTake, {postgres::array(jobs), postgres::array(dispatches),
                        postgres::array(started), postgres::array(queues), postgres::array(topics),
                        postgres::array(partitions), postgres::array(epochs), owner_}));
            for (const auto row : rows) {
                answers[numbers.at(row.get<Uuid>(0))] = Applied::done;
            }
            if (rows.size() < numbers.size()) {
                const auto held = TRY(transaction.exec(
                    kHeld, {postgres::array(jobs), postgres::array(dispatches), owner_}));
                for (const auto row : held) {
                    answers[numbers.at(row.get<Uuid>(0))] = Applied::done;
                }
            }
            return answers;
        });
}

Result<std::vector<HeldLease>> LeaseStore::beat(std::span<const HeldLease> leases,
                                                Deadline deadline) {
    std::vector<HeldLease> lost;
    if (leases.empty()) {
        return lost;
    }
    postgres::Params jobs, dispatches;
    for (const auto& lease : leases) {
        jobs.emplace_back(lease.job);
        dispatches.emplace_back(lease.dispatch);
    }
    const postgres::Params params{postgres::array(jobs), postgres::array(dispatches), owner_};
    TRY(pool_.exec(deadline, kBeat, params));
    const auto rows = TRY(pool_.exec(deadline, kLost, params));
    for (const auto row : rows) {
        lost.push_back({row.get<Uuid>(0), row.get<std::int64_t>(1)});
    }
    return lost;
}

}  // namespace gantry::jobs
