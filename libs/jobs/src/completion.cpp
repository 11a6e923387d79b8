#include "gantry/jobs/completion.hpp"

#include "fence.hpp"
#include "side_effects.hpp"

#include <array>
#include <map>
#include <unordered_map>
#include <utility>

namespace gantry::jobs {
namespace {

// Stays a HOT update: no index knows any of these columns.
constexpr std::string_view kUpdate = R"sql(
UPDATE %table% j SET
    state = c.state,
    dispatch = j.dispatch + 1,
    attempt = c.attempt,
    started_at = c.started_at,
    finished_at = CASE WHEN c.state IN ('succeeded', 'dead', 'cancelled')
                       THEN greatest(clock_timestamp(), c.started_at) END,
    run_at = clock_timestamp() + c.delay,
    wake_xid = CASE WHEN c.state = 'queued' THEN pg_current_xact_id() ELSE j.wake_xid END,
    crash_count = 0,
    error = CASE WHEN c.state IN ('queued', 'scheduled') THEN j.error ELSE c.error END,
    history = CASE WHEN c.state IN ('retrying', 'dead') THEN
        CASE WHEN jsonb_array_length(j.history) >= 20 THEN j.history - 0
             ELSE coalesce(j.history, '[]') END
        || jsonb_build_object('attempt', c.attempt, 'at', c.started_at, 'error', c.error)
        ELSE j.history END,
    result = c.result,
    result_content_type = c.result_content_type
FROM unnest($1::uuid[], $2::bigint[], $3::boolean[], $4::gantry.job_state[], $5::integer[],
            $6::timestamptz[], $7::interval[], $8::text[], $9::bytea[], $10::text[])
    AS c (id, dispatch, in_epoch, state, attempt, started_at, delay, error, result,
          result_content_type)
WHERE j.id = c.id AND j.dispatch = c.dispatch
  AND ((j.state = 'queued' AND c.in_epoch)
       OR (j.state = 'running' AND EXISTS (
               SELECT FROM gantry.job_lease l
               WHERE l.job = c.id AND l.dispatch = c.dispatch AND l.owner = $11)))
RETURNING %columns%)sql";

constexpr std::string_view kEndLeases = R"sql(
DELETE FROM gantry.job_lease l USING unnest($1::uuid[], $2::bigint[]) AS c (job, dispatch)
WHERE l.job = c.job AND l.dispatch = c.dispatch)sql";

std::string update_of(std::string_view table) {
    std::string sql(kUpdate);
    const auto put = [&sql](std::string_view mark, std::string_view text) {
        sql.replace(sql.find(mark), mark.size(), text);
    };
    put("%table%", table);
    put("%columns%", kChangedColumns);
    return sql;
}

State state_after(Ending ending) {
    switch (ending) {
        case Ending::succeeded:
            return State::succeeded;
        case Ending::retrying:
            return State::retrying;
        case Ending::dead:
            return State::dead;
        case Ending::cancelled:
            return State::cancelled;
        case Ending::snoozed:
            return State::scheduled;
        case Ending::handed_back:
            break;
    }
    return State::queued;
}

bool waits(Ending ending) {
    return ending == Ending::retrying || ending == Ending::snoozed;
}

}  // namespace

std::string_view to_string(Ending ending) {
    switch (ending) {
        case Ending::succeeded:
            return "succeeded";
        case Ending::retrying:
            return "retrying";
        case Ending::dead:
            return "dead";
        case Ending::cancelled:
            return "cancelled";
        case Ending::snoozed:
            return "snoozed";
        case Ending::handed_back:
            return "handed_back";
    }
    return "unknown";
}

bool refuses_content(const Error& error) {
    switch (error.code) {
        case Code::invalid_argument:
        case Code::out_of_range:
        case Code::already_exists:
        case Code::data_loss:
        case Code::internal:
            return true;
        case Code::failed_precondition:
            return error.reason.starts_with("23");  // of SQLSTATE: a constraint
        default:
            return false;
    }
}

CompletionStore::CompletionStore(postgres::Pool& pool, std::string owner, std::string dead_topic)
    : pool_(pool), owner_(std::move(owner)), dead_topic_(std::move(dead_topic)) {}

Result<EpochFence> CompletionStore::lock(postgres::Transaction& transaction,
                                         std::span<const Completion> completions) {
    std::vector<const Source*> sources;
    for (const auto& completion : completions) {
        sources.push_back(&completion.source);
    }
    return EpochFence::lock(transaction, sources);
}

Result<std::vector<Applied>> CompletionStore::apply(postgres::Transaction& transaction,
                                                    const EpochFence& fence,
                                                    std::span<const Completion> completions) {
    std::vector<Applied> answers(completions.size(), Applied::refused);
    std::vector<Changed> changes;
    for (const std::string_view table : {"gantry.job", "gantry.job_kept"}) {
        postgres::Params ids, dispatches, in_epoch, states, attempts, started, delays, errors,
            results, types;
        std::unordered_map<Uuid, std::size_t> numbers;
        for (std::size_t i = 0; i < completions.size(); ++i) {
            if (answers[i] == Applied::done) {
                continue;
            }
            const auto& c = completions[i];
            numbers.emplace(c.job, i);
            ids.emplace_back(c.job);
            dispatches.emplace_back(c.dispatch);
            in_epoch.emplace_back(fence.holds(c.source));
            states.emplace_back(to_string(state_after(c.ending)));
            attempts.emplace_back(c.attempt);
            started.emplace_back(c.started_at);
            delays.emplace_back(waits(c.ending) ? std::optional(c.delay) : std::nullopt);
            errors.emplace_back(c.error.empty() ? std::nullopt : std::optional(c.error));
            results.emplace_back(c.result ? std::optional(postgres::Bytes{*c.result})
                                          : std::nullopt);
            types.emplace_back(c.result ? std::optional(c.result_content_type) : std::nullopt);
        }
        if (numbers.empty()) {
            break;
        }
        const auto rows = TRY(transaction.exec(
            update_of(table),
            {postgres::array(ids), postgres::array(dispatches), postgres::array(in_epoch),
             postgres::array(states), postgres::array(attempts), postgres::array(started),
             postgres::array(delays), postgres::array(errors), postgres::array(results),
             postgres::array(types), owner_}));
        for (const auto row : rows) {
            auto changed = to_changed(row);
            const auto number = numbers.at(changed.id);
            changed.reason = completions[number].reason;
            answers[number] = Applied::done;
            changes.push_back(std::move(changed));
        }
    }
    if (!changes.empty()) {
        postgres::Params ids, dispatches;
        for (const auto& changed : changes) {
            ids.emplace_back(changed.id);
            dispatches.emplace_back(changed.dispatch - 1);
        }
        TRY(transaction.exec(kEndLeases, {postgres::array(ids), postgres::array(dispatches)}));
        TRY(write_side_effects(transaction, changes, dead_topic_));
    }
    return answers;
}

Result<std::vector<Applied>> CompletionStore::complete(std::span<const Completion> completions,
                                                       Deadline deadline) {
    if (completions.empty()) {
        return std::vector<Applied>{};
    }
    return pool_.transact(deadline,
                          [&](postgres::Transaction& transaction) -> Result<std::vector<Applied>> {
                              const auto fence = TRY(lock(transaction, completions));
                              return apply(transaction, fence, completions);
                          });
}

Result<Applied> CompletionStore::complete_with(const Completion& completion, const Effects& effects,
                                               Deadline deadline, bool& effects_failed) {
    effects_failed = false;
    return pool_.transact(deadline, [&](postgres::Transaction& transaction) -> Result<Applied> {
        const std::span one(&completion, 1);
        // The partition before the job, like everybody else.
        const auto fence = TRY(lock(transaction, one));
        // Waits for a lease that is being taken, so that the update sees it.
        for (const auto* sql : {"SELECT FROM gantry.job WHERE id = $1 FOR UPDATE",
                                "SELECT FROM gantry.job_kept WHERE id = $1 FOR UPDATE"}) {
            TRY(transaction.exec(sql, {completion.job}));
        }
        const auto answers = TRY(apply(transaction, fence, one));
        if (answers.front() == Applied::refused) {
            return Applied::refused;
        }
        // What the effects do to PostgreSQL may fail in ways that only they know how to survive.
        if (auto done = effects(transaction); !done) {
            effects_failed = true;
            return std::unexpected(std::move(done).error());
        }
        return Applied::done;
    });
}

}  // namespace gantry::jobs
