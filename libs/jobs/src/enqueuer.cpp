#include "gantry/jobs/enqueuer.hpp"

#include "gantry/base/encoding.hpp"
#include "job_rows.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace gantry::jobs {
namespace {

constexpr milliseconds kCommitLimit{10'000};

// One statement: the rows, the timers of those that wait, and one wake-up each of the others in the
// order of the input, which for one key is the order of the calls. A queue that is not declared
// gives no row.
constexpr std::string_view kInsert = R"sql(
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[],
                         $7::integer[], $8::timestamptz[], $9::interval[], $10::text[],
                         $11::text[])
        WITH ORDINALITY
        AS i (id, queue, type, payload, content_type, key, max_attempts, run_at, timeout, source,
              traceparent, n)
), made AS (
    INSERT INTO gantry.job AS j
        (id, state, run_at, max_attempts, timeout, queue, type, key, content_type, source,
         traceparent, payload)
    SELECT i.id,
           CASE WHEN i.run_at > clock_timestamp() THEN 'scheduled' ELSE 'queued'
           END::gantry.job_state,
           CASE WHEN i.run_at > clock_timestamp() THEN i.run_at END,
           coalesce(nullif(i.max_attempts, 0), q.max_attempts), i.timeout, i.queue, i.type,
           nullif(i.key, ''), i.content_type, i.source, gantry.valid_traceparent(i.traceparent),
           i.payload
    FROM input i JOIN gantry.queue q ON q.name = i.queue
    RETURNING j.id, j.state, j.run_at, j.created_at, j.max_attempts, j.queue, j.key
), timed AS (
    INSERT INTO gantry.job_timer (run_at, job, dispatch)
    SELECT coalesce(m.run_at, clock_timestamp()), m.id, 1 FROM made m WHERE m.state = 'scheduled'
), woken AS MATERIALIZED (
    SELECT gantry.emit_wakeups(array_agg(m.queue ORDER BY i.n), array_agg(m.id ORDER BY i.n),
                               array_agg(1::bigint), array_agg(m.key ORDER BY i.n)) AS done
    FROM made m JOIN input i USING (id) WHERE m.state = 'queued' HAVING count(*) > 0
)
SELECT m.id, m.state, m.run_at, m.created_at, m.max_attempts, w.done
FROM made m LEFT JOIN woken w ON true)sql";

constexpr std::string_view kEnqueue = R"sql(
SELECT gantry.enqueue($1, $2, payload => $3, content_type => $4, key => nullif($5, ''),
                      max_attempts => nullif($6::integer, 0), run_at => $7, timeout => $8,
                      unique_key => nullif($9, ''), traceparent => $10, id => $11,
                      source => $12))sql";

constexpr std::string_view kRemember = R"sql(
INSERT INTO gantry.idempotency (principal, key, fingerprint, answer)
VALUES ('', $1, $2, $3) ON CONFLICT DO NOTHING RETURNING true)sql";

constexpr std::string_view kRemembered = R"sql(
SELECT fingerprint = $2, encode(answer, 'escape') FROM gantry.idempotency
WHERE principal = '' AND key = $1)sql";

constexpr std::string_view kAmend = R"sql(
UPDATE gantry.idempotency SET answer = $2 WHERE principal = '' AND key = $1)sql";

/// True where the fault is not in a row, so that trying the rows apart is of no use.
bool concerns_all(const Error& error) {
    return error.code == Code::unavailable || error.code == Code::unknown ||
           error.code == Code::deadline_exceeded || error.code == Code::permission_denied ||
           error.reason == "DATABASE_UNAVAILABLE";
}

Error for_caller(Error error) {
    if (error.reason == "COMMIT_UNKNOWN") {
        error.message =
            "the connection to the database broke while committing, so whether the job was "
            "accepted "
            "is not known; repeat the call with the same request_id";
    } else if (error.code == Code::unavailable) {
        error.message = "the database is away; nothing was accepted";
    }
    return error;
}

Error not_declared(const NewJob& job) {
    return Error{
        Code::not_found, "queue " + job.queue + " is not declared", "QUEUE_NOT_DECLARED", {}};
}

Job as_stored(const NewJob& job, const Uuid& id) {
    Job stored;
    stored.id = id;
    stored.queue = job.queue;
    stored.type = job.type;
    stored.payload = job.payload;
    stored.content_type = job.content_type;
    stored.key = job.key;
    stored.dispatch = 1;
    return stored;
}

/// What makes two requests the same: everything but the time of a call.
std::string fingerprint(const NewJob& job) {
    std::string text;
    const auto add = [&text](std::string_view part) {
        text += std::to_string(part.size()) + ":";
        text += part;
    };
    add(job.queue);
    add(job.type);
    add(job.payload);
    add(job.content_type);
    add(job.key);
    add(job.unique_key);
    add(std::to_string(job.max_attempts));
    add(job.run_at ? std::to_string(job.run_at->time_since_epoch().count()) : "");
    add(job.timeout ? std::to_string(job.timeout->count()) : "");
    return sha256(text);
}

Result<Uuid> call_enqueue(postgres::Transaction& transaction, const NewJob& job, const Uuid& id,
                          Instant now) {
    const bool later = job.run_at && *job.run_at > now;
    auto rows = transaction.exec(
        kEnqueue, {job.queue, job.type, postgres::Bytes{job.payload}, job.content_type, job.key,
                   job.max_attempts, later ? job.run_at : std::nullopt, job.timeout, job.unique_key,
                   job.traceparent, id, job.source});
    if (!rows) {
        return std::unexpected(std::move(rows).error());
    }
    return rows->front().get<Uuid>(0);
}

Result<void> require_queue(postgres::Transaction& transaction, const NewJob& job) {
    const auto rows =
        TRY(transaction.exec("SELECT FROM gantry.queue WHERE name = $1", {job.queue}));
    if (rows.empty()) {
        return std::unexpected(not_declared(job));
    }
    return {};
}

}  // namespace

Enqueuer::Enqueuer(postgres::Pool& pool, Clock& clock, metrics::Registry& metrics)
    : pool_(pool),
      clock_(clock),
      metrics_(metrics),
      batch_size_(metrics.histogram("gantry_jobs_enqueue_batch_size",
                                    "Jobs committed together by one enqueuing transaction", {},
                                    {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000})) {}

Result<Job> Enqueuer::enqueue(const NewJob& job, Deadline deadline) {
    TRY(validate(job, clock_.now()));
    auto answer = job.unique_key.empty() && job.request_id.empty() ? enqueue_plain(job, deadline)
                                                                   : enqueue_alone(job, deadline);
    count(answer);
    if (!answer) {
        return std::unexpected(for_caller(std::move(answer).error()));
    }
    return answer;
}

void Enqueuer::count(const Result<Job>& answer) {
    if (answer) {
        // Only declared queues come this far, so the label is bounded.
        metrics_
            .counter("gantry_jobs_enqueued_total", "Jobs accepted by this process",
                     {{"queue", answer->queue}})
            .increment();
    }
}

Result<Job> Enqueuer::enqueue_plain(const NewJob& job, Deadline deadline) {
    Call call{.job = job, .id = Uuid::v7(clock_.now()), .taken = false, .answer = {}};
    std::unique_lock lock(mutex_);
    waiting_.push_back(&call);
    while (!call.answer) {
        if (!committing_) {
            // The first that finds no commit under way commits for all that wait.
            committing_ = true;
            const Batch batch = take_batch();
            lock.unlock();
            commit(batch);
            lock.lock();
            committing_ = false;
            changed_.notify_all();
            continue;
        }
        const auto ready = [&] { return call.answer.has_value() || !committing_; };
        if (call.taken) {
            changed_.wait(lock, ready);  // the commit under way has a limit of its own
        } else if (!changed_.wait_for(lock, deadline.remaining(), ready) && !call.taken) {
            std::erase(waiting_, &call);
            return fail(Code::deadline_exceeded,
                        "the job waited too long for its commit; nothing was accepted");
        }
    }
    return std::move(*call.answer);
}

Enqueuer::Batch Enqueuer::take_batch() {
    const auto count = std::min(kMaxBatch, waiting_.size());
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
    Batch batch(waiting_.begin(), end);
    waiting_.erase(waiting_.begin(), end);
    for (auto* call : batch) {
        call->taken = true;
    }
    return batch;
}

void Enqueuer::commit(const Batch& batch) {
    // `answer` is read by others once it is set, so answers are given out under the lock at the
    // end.
    batch_size_.observe(static_cast<double>(batch.size()));
    std::vector<Call> copies;
    copies.reserve(batch.size());
    std::vector<Call*> calls;
    for (const auto* call : batch) {
        calls.push_back(&copies.emplace_back(*call));
    }
    const auto attempt = [&](auto&& write) {
        return pool_.transact(
            Deadline::after(kCommitLimit, clock_),
            [&](postgres::Transaction& transaction) { return write(transaction, calls); });
    };
    auto done = attempt(insert);
    if (!done && !concerns_all(done.error())) {
        done = attempt(insert_or_split);
    }
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if (done) {
            batch[i]->answer = std::move(copies[i].answer);
        } else {
            batch[i]->answer = std::unexpected(done.error());
        }
    }
}

Result<void> Enqueuer::insert(postgres::Transaction& transaction, std::span<Call* const> calls) {
    postgres::Params ids, queues, types, payloads, content_types, keys, attempts, run_ats, timeouts,
        sources, traces;
    std::map<Uuid, Call*> by_id;
    for (auto* call : calls) {
        const auto& job = call->job;
        ids.emplace_back(call->id);
        queues.emplace_back(job.queue);
        types.emplace_back(job.type);
        payloads.emplace_back(postgres::Bytes{job.payload});
        content_types.emplace_back(job.content_type);
        keys.emplace_back(job.key);
        attempts.emplace_back(job.max_attempts);
        run_ats.emplace_back(job.run_at);
        timeouts.emplace_back(job.timeout);
        sources.emplace_back(job.source);
        traces.emplace_back(job.traceparent);
        by_id.emplace(call->id, call);
        call->answer = std::unexpected(not_declared(job));
    }
    const auto rows = TRY(transaction.exec(
        kInsert, {postgres::array(ids), postgres::array(queues), postgres::array(types),
                  postgres::array(payloads), postgres::array(content_types), postgres::array(keys),
                  postgres::array(attempts), postgres::array(run_ats), postgres::array(timeouts),
                  postgres::array(sources), postgres::array(traces)}));
    for (const auto row : rows) {
        auto& call = *by_id.at(row.get<Uuid>(0));
        auto stored = as_stored(call.job, call.id);
        stored.state = parse_state(row.text(1)).value_or(State::queued);
        stored.run_at = row.get<std::optional<Instant>>(2);
        stored.created_at = row.get<Instant>(3);
        stored.max_attempts = row.get<int>(4);
        call.answer = std::move(stored);
    }
    return {};
}

Result<void> Enqueuer::insert_or_split(postgres::Transaction& transaction,
                                       std::span<Call* const> calls) {
    auto inserted = transaction.nested([&] { return insert(transaction, calls); });
    if (inserted || concerns_all(inserted.error())) {
        return inserted;
    }
    if (calls.size() == 1) {
        calls.front()->answer = std::unexpected(std::move(inserted).error());
        return {};
    }
    const auto half = calls.size() / 2;
    TRY(insert_or_split(transaction, calls.first(half)));
    return insert_or_split(transaction, calls.subspan(half));
}

Result<Job> Enqueuer::enqueue_in(postgres::Transaction& transaction, const NewJob& job,
                                 Instant now) {
    TRY(validate(job, now));
    TRY(require_queue(transaction, job));
    const auto id = TRY(call_enqueue(transaction, job, Uuid::v7(now), now));
    return read_job(transaction, id, Content::with_payload);
}

Result<Job> Enqueuer::enqueue_alone(const NewJob& job, Deadline deadline) {
    const auto now = clock_.now();
    return pool_.transact(
        deadline.earlier(Deadline::after(kCommitLimit, clock_)),
        [&](postgres::Transaction& transaction) -> Result<Job> {
            // Another transaction with the same key must not hold this thread for long.
            TRY(transaction.exec("SET LOCAL lock_timeout = '2s'"));
            TRY(require_queue(transaction, job));
            const auto id = Uuid::v7(now);
            if (!job.request_id.empty()) {
                const auto print = fingerprint(job);
                const auto fresh =
                    TRY(transaction.exec(kRemember, {job.request_id, postgres::Bytes{print},
                                                     postgres::Bytes{id.to_string()}}));
                if (fresh.empty()) {
                    const auto known = TRY(
                        transaction.exec(kRemembered, {job.request_id, postgres::Bytes{print}}));
                    if (known.empty()) {
                        return fail(Code::aborted, "the request id expired meanwhile; repeat");
                    }
                    if (!known.front().get<bool>(0)) {
                        return fail(Code::failed_precondition,
                                    "request_id was used for another request", "REQUEST_ID_REUSED");
                    }
                    const auto first = TRY(Uuid::parse(known.front().text(1)));
                    return read_job(transaction, first, Content::with_payload);
                }
            }
            const auto made = TRY(call_enqueue(transaction, job, id, now));
            if (made != id && !job.request_id.empty()) {
                const auto text = made.to_string();
                TRY(transaction.exec(kAmend, {job.request_id, postgres::Bytes{text}}));
            }
            return read_job(transaction, made, Content::with_payload);
        });
}

}  // namespace gantry::jobs
