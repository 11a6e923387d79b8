#include "gantry/jobs/dispatch.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace gantry::jobs {
namespace {

// One look per wake-up by primary key. Only a job that shall run gives its payload away.
constexpr std::string_view kCheck = R"sql(
SELECT w.n,
       j.dispatch = w.dispatch AND j.state = 'queued' AS runs,
       j.queue, j.type, j.key,
       CASE WHEN j.dispatch = w.dispatch AND j.state = 'queued' THEN j.payload END,
       j.content_type, j.attempt, j.max_attempts,
       ceil(extract(epoch FROM coalesce(j.timeout, q.timeout, interval '5 minutes')) * 1000)::bigint,
       ceil(extract(epoch FROM coalesce(q.backoff_base, interval '1 second')) * 1000)::bigint,
       ceil(extract(epoch FROM coalesce(q.backoff_cap, interval '1 hour')) * 1000)::bigint,
       j.traceparent, j.created_at, coalesce(j.expires_at <= clock_timestamp(), false)
FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS w (id, dispatch, n)
JOIN )sql";
constexpr std::string_view kCheckEnd = R"sql( j ON j.id = w.id
LEFT JOIN gantry.queue q ON q.name = j.queue)sql";

std::string text_or_empty(const postgres::Row& row, int column) {
    return row.is_null(column) ? std::string() : std::string(row.text(column));
}

Runnable to_runnable(const postgres::Row& row, const Wakeup& wakeup) {
    Runnable job;
    job.id = wakeup.id;
    job.dispatch = wakeup.dispatch;
    job.queue = row.get<std::string>(2);
    job.type = row.get<std::string>(3);
    job.key = text_or_empty(row, 4);
    job.payload = row.bytes(5);
    job.content_type = row.get<std::string>(6);
    job.attempt = row.get<int>(7);
    job.max_attempts = row.get<int>(8);
    job.timeout = milliseconds{row.get<std::int64_t>(9)};
    job.retry.base = milliseconds{row.get<std::int64_t>(10)};
    job.retry.cap = milliseconds{row.get<std::int64_t>(11)};
    job.traceparent = text_or_empty(row, 12);
    job.created_at = row.get<Instant>(13);
    job.expired = row.get<bool>(14);
    return job;
}

/// Looks into `table` for every wake-up that is still missing.
Result<void> look(postgres::Transaction& transaction, std::string_view table,
                  std::span<const Wakeup> wakeups, std::vector<Checked>& answers) {
    postgres::Params ids, dispatches;
    std::vector<std::size_t> numbers;
    for (std::size_t i = 0; i < wakeups.size(); ++i) {
        if (answers[i].verdict == Verdict::missing) {
            ids.emplace_back(wakeups[i].id);
            dispatches.emplace_back(wakeups[i].dispatch);
            numbers.push_back(i);
        }
    }
    if (numbers.empty()) {
        return {};
    }
    const auto rows =
        TRY(transaction.exec(std::string(kCheck) + std::string(table) + std::string(kCheckEnd),
                             {postgres::array(ids), postgres::array(dispatches)}));
    for (const auto row : rows) {
        const auto number = numbers.at(static_cast<std::size_t>(row.get<std::int64_t>(0) - 1));
        auto& answer = answers[number];
        answer.verdict = row.get<bool>(1) ? Verdict::run : Verdict::stale;
        if (answer.verdict == Verdict::run) {
            answer.job = to_runnable(row, wakeups[number]);
        }
    }
    return {};
}

}  // namespace

Result<Wakeup> parse_wakeup(std::string_view json) {
    const auto broken = [] { return fail(Code::invalid_argument, "not a wake-up record"); };
    const auto parsed = nlohmann::json::parse(json, nullptr, false);
    if (!parsed.is_object()) {
        return broken();
    }
    const auto id = parsed.find("id");
    const auto dispatch = parsed.find("dispatch");
    if (id == parsed.end() || !id->is_string() || dispatch == parsed.end() ||
        !dispatch->is_number_integer()) {
        return broken();
    }
    Wakeup wakeup;
    const auto uuid = Uuid::parse(id->get_ref<const std::string&>());
    if (!uuid) {
        return broken();
    }
    wakeup.id = *uuid;
    wakeup.dispatch = dispatch->get<std::int64_t>();
    if (const auto xid = parsed.find("xid"); xid != parsed.end() && xid->is_string()) {
        wakeup.xid = xid->get<std::string>();
    }
    return wakeup;
}

Result<std::vector<Checked>> check(postgres::Pool& pool, std::span<const Wakeup> wakeups,
                                   Deadline deadline) {
    std::vector<Checked> answers(wakeups.size());
    if (wakeups.empty()) {
        return answers;
    }
    auto lease = TRY(pool.acquire(deadline));
    auto transaction =
        TRY(postgres::Transaction::begin(*lease, postgres::Transaction::Mode::read_only));
    TRY(look(transaction, "gantry.job", wakeups, answers));
    TRY(look(transaction, "gantry.job_kept", wakeups, answers));
    TRY(transaction.commit());
    return answers;
}

Result<Origin> origin_of(postgres::Pool& pool, const std::string& xid, Deadline deadline) {
    const bool is_number = !xid.empty() && xid.size() <= 20 &&
                           std::ranges::all_of(xid, [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number) {
        return Origin::void_record;
    }
    const auto rows = pool.exec(deadline, "SELECT pg_xact_status($1::xid8)", {xid});
    if (!rows) {
        // An id that this server has not given out yet: the record is of another history.
        if (rows.error().code == Code::invalid_argument) {
            return Origin::void_record;
        }
        return std::unexpected(rows.error());
    }
    const auto status = rows->front().get<std::optional<std::string>>(0);
    if (status == "in progress") {
        return Origin::in_progress;
    }
    return status == "committed" ? Origin::committed : Origin::void_record;
}

}  // namespace gantry::jobs
