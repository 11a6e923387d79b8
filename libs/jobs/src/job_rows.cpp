#include "job_rows.hpp"

namespace gantry::jobs {
namespace {

std::string text_or_empty(const postgres::Row& row, int column) {
    return row.is_null(column) ? std::string() : std::string(row.text(column));
}

}  // namespace

std::string job_columns(Content content) {
    std::string columns =
        "j.id, j.queue, j.type, j.state, j.content_type, j.key, j.attempt, j.max_attempts, "
        "j.created_at, j.run_at, j.started_at, j.finished_at, j.result_content_type, j.error, "
        "j.dispatch, CASE WHEN j.source = 'kafka' THEN j.tags ->> 'ce_id' END, "
        "CASE WHEN j.source = 'kafka' THEN j.tags ->> 'ce_source' END";
    if (content == Content::with_payload) {
        columns += ", j.payload, j.result";
    }
    return columns;
}

Job to_job(const postgres::Row& row, Content content) {
    Job job;
    job.id = row.get<Uuid>(0);
    job.queue = row.get<std::string>(1);
    job.type = row.get<std::string>(2);
    job.state = parse_state(row.text(3)).value_or(State::queued);
    job.content_type = row.get<std::string>(4);
    job.key = text_or_empty(row, 5);
    job.attempt = row.get<int>(6);
    job.max_attempts = row.get<int>(7);
    job.created_at = row.get<Instant>(8);
    job.run_at = row.get<std::optional<Instant>>(9);
    job.started_at = row.get<std::optional<Instant>>(10);
    job.finished_at = row.get<std::optional<Instant>>(11);
    job.result_content_type = text_or_empty(row, 12);
    job.error = text_or_empty(row, 13);
    job.dispatch = row.get<std::int64_t>(14);
    job.external_id = text_or_empty(row, 15);
    job.external_source = text_or_empty(row, 16);
    if (content == Content::with_payload) {
        job.payload = row.bytes(17);
        if (!row.is_null(18)) {
            job.result = row.bytes(18);
        }
    }
    return job;
}

Result<Job> read_job(postgres::Transaction& transaction, const Uuid& id, Content content) {
    for (const char* table : {"gantry.job", "gantry.job_kept"}) {
        const auto rows = TRY(transaction.exec(
            "SELECT " + job_columns(content) + " FROM " + table + " j WHERE j.id = $1", {id}));
        if (!rows.empty()) {
            return to_job(rows.front(), content);
        }
    }
    return fail(Code::not_found, "there is no job " + id.to_string(), "JOB_NOT_FOUND");
}

}  // namespace gantry::jobs
