#include "side_effects.hpp"

#include "gantry/outbox/publish.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace gantry::jobs {

const std::string_view kChangedColumns =
    "j.id, j.dispatch, j.state, j.queue, j.type, j.key, j.unique_key, j.attempt, j.error, "
    "CASE WHEN j.state = 'dead' THEN j.history END";

namespace {

constexpr std::string_view kTimers = R"sql(
INSERT INTO gantry.job_timer (run_at, job, dispatch)
SELECT j.run_at, j.id, j.dispatch FROM unnest($1::uuid[]) AS w (id)
JOIN LATERAL (SELECT id, run_at, dispatch FROM gantry.job WHERE id = w.id
              UNION ALL SELECT id, run_at, dispatch FROM gantry.job_kept WHERE id = w.id) j ON true
ON CONFLICT (run_at, job) DO UPDATE SET dispatch = excluded.dispatch)sql";

constexpr std::string_view kDead = R"sql(
INSERT INTO gantry.job_dead (job, queue, type, key, reason)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
ON CONFLICT (job) DO UPDATE SET dead_at = excluded.dead_at, reason = excluded.reason)sql";

constexpr std::string_view kFreeUnique = R"sql(
DELETE FROM gantry.job_unique u
USING unnest($1::text[], $2::text[], $3::uuid[]) AS w (scope, key, job)
WHERE u.scope = w.scope AND u.key = w.key AND u.job = w.job)sql";

outbox::Event dead_letter(const Changed& job, const std::string& topic) {
    nlohmann::json body{
        {"id", job.id.to_string()}, {"queue", job.queue},
        {"type", job.type},         {"attempt", job.attempt},
        {"reason", job.reason},     {"error", job.error},
        {"dispatch", job.dispatch}, {"history", nlohmann::json::array()},
    };
    if (auto history = nlohmann::json::parse(job.history, nullptr, false); history.is_array()) {
        body["history"] = std::move(history);
    }
    if (!job.key.empty()) {
        body["key"] = job.key;
    }
    outbox::Event event;
    event.topic = topic;
    event.key = job.key.empty() ? job.id.to_string() : job.key;
    event.type = "io.gantry.job.dead";
    event.source = "/gantry/jobs";
    event.subject = job.id.to_string();
    event.payload = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    event.content_type = "application/json";
    event.headers["ce_id"] = job.id.to_string() + "/" + std::to_string(job.dispatch);
    return event;
}

}  // namespace

Changed to_changed(const postgres::Row& row) {
    const auto text = [&row](int column) {
        return row.is_null(column) ? std::string() : std::string(row.text(column));
    };
    Changed changed;
    changed.id = row.get<Uuid>(0);
    changed.dispatch = row.get<std::int64_t>(1);
    changed.state = parse_state(row.text(2)).value_or(State::queued);
    changed.queue = text(3);
    changed.type = text(4);
    changed.key = text(5);
    changed.unique_key = text(6);
    changed.attempt = row.get<int>(7);
    changed.error = text(8);
    changed.history = text(9);
    return changed;
}

Result<void> write_side_effects(postgres::Transaction& transaction,
                                std::span<const Changed> changes, const std::string& dead_topic) {
    postgres::Params timers;
    postgres::Params dead, dead_queues, dead_types, dead_keys, reasons;
    postgres::Params scopes, keys, holders;
    std::vector<outbox::Event> letters;
    std::vector<outbox::Wakeup> wakeups;
    for (const auto& job : changes) {
        if (job.state == State::retrying || job.state == State::scheduled) {
            timers.emplace_back(job.id);
        } else if (job.state == State::queued) {
            wakeups.push_back({job.queue, job.id, job.dispatch,
                               job.key.empty() ? std::nullopt : std::optional(job.key)});
        } else if (job.state == State::dead) {
            dead.emplace_back(job.id);
            dead_queues.emplace_back(job.queue);
            dead_types.emplace_back(job.type);
            dead_keys.emplace_back(job.key.empty() ? std::nullopt : std::optional(job.key));
            reasons.emplace_back(job.reason);
            letters.push_back(dead_letter(job, dead_topic));
        }
        if (is_final(job.state) && !job.unique_key.empty()) {
            scopes.emplace_back(job.queue);
            keys.emplace_back(job.unique_key);
            holders.emplace_back(job.id);
        }
    }
    if (!timers.empty()) {
        TRY(transaction.exec(kTimers, {postgres::array(timers)}));
    }
    if (!dead.empty()) {
        TRY(transaction.exec(kDead, {postgres::array(dead), postgres::array(dead_queues),
                                     postgres::array(dead_types), postgres::array(dead_keys),
                                     postgres::array(reasons)}));
        TRY(outbox::publish_batch(transaction, letters));
    }
    if (!scopes.empty()) {
        TRY(transaction.exec(kFreeUnique, {postgres::array(scopes), postgres::array(keys),
                                           postgres::array(holders)}));
    }
    if (!wakeups.empty()) {
        TRY(outbox::wake(transaction, wakeups));
    }
    return {};
}

}  // namespace gantry::jobs
