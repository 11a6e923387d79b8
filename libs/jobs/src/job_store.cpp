#include "gantry/jobs/job_store.hpp"

#include "gantry/base/encoding.hpp"
#include "job_rows.hpp"

#include <utility>

namespace gantry::jobs {
namespace {

constexpr int kDefaultPage = 100;
constexpr int kMaxPage = 1000;
// Rows that one page looks at where the filter matches few.
constexpr int kScan = 20'000;

Result<std::optional<Uuid>> read_token(const std::string& token) {
    if (token.empty()) {
        return std::nullopt;
    }
    auto text = base64_decode(token);
    auto id = text ? Uuid::parse(*text) : Result<Uuid>(std::unexpected(text.error()));
    if (!id) {
        return invalid("page_token", "must be the next_page_token of an earlier page");
    }
    return std::optional(*id);
}

// Both tables are read in the order of their primary key; the filter works on a bounded window.
std::string list_statement() {
    const auto columns = job_columns(Content::without_payload);
    const std::string window =
        "SELECT j.id, j.queue, j.type, j.state, j.content_type, j.key, j.attempt, j.max_attempts, "
        "j.created_at, j.run_at, j.started_at, j.finished_at, j.result_content_type, j.error, "
        "j.dispatch, j.source, j.tags FROM ";
    return "SELECT " + columns + " FROM (SELECT * FROM (" + window + "gantry.job j UNION ALL " +
           window +
           "gantry.job_kept j) a WHERE ($1::uuid IS NULL OR a.id < $1) ORDER BY a.id DESC LIMIT " +
           std::to_string(kScan) +
           ") j WHERE ($2 = '' OR j.queue = $2) AND ($3 = '' OR j.type = $3) "
           "AND ($4 = '' OR j.state::text = $4) ORDER BY j.id DESC LIMIT $5::integer";
}

// Where the window of a short page ended, if there is more behind it.
constexpr std::string_view kWindowEnd = R"sql(
SELECT a.id FROM (SELECT id FROM gantry.job UNION ALL SELECT id FROM gantry.job_kept) a
WHERE ($1::uuid IS NULL OR a.id < $1) ORDER BY a.id DESC OFFSET $2::integer - 1 LIMIT 1)sql";

std::string token_of(const Uuid& id) {
    return base64_encode(id.to_string());
}

}  // namespace

Result<Job> JobStore::find(const Uuid& id, Deadline deadline) {
    return pool_.read(deadline, [&](postgres::Transaction& transaction) {
        return read_job(transaction, id, Content::with_payload);
    });
}

Result<Job> JobStore::find_external(std::string_view id, Deadline deadline) {
    const auto missing = [&] {
        return fail(Code::not_found, "there is no job or event " + std::string(id.substr(0, 255)),
                    "JOB_NOT_FOUND");
    };
    if (!is_storable(id) || id.empty() || id.size() > 1024) {
        return missing();
    }
    return pool_.read(deadline, [&](postgres::Transaction& transaction) -> Result<Job> {
        const auto rows = TRY(
            transaction.exec("SELECT job, source FROM gantry.job_external WHERE external_id = $1 "
                             "ORDER BY source LIMIT 2",
                             {id}));
        if (rows.empty()) {
            return missing();
        }
        if (rows.size() > 1) {
            return fail(Code::failed_precondition,
                        "two producers sent an event of this id: sources " +
                            std::string(rows[0].text(1)) + " and " + std::string(rows[1].text(1)) +
                            "; ask by the job's id",
                        "AMBIGUOUS_EVENT_ID");
        }
        return read_job(transaction, rows.front().get<Uuid>(0), Content::with_payload);
    });
}

Result<JobPage> JobStore::list(const JobFilter& filter, Deadline deadline) {
    if (filter.page_size < 0 || filter.page_size > kMaxPage) {
        return invalid("page_size", "must be 1 to 1000, or 0 for 100");
    }
    if (!filter.queue.empty() && !is_queue_name(filter.queue)) {
        return invalid("queue", "must be 1 to 63 of a-z 0-9 -");
    }
    if (!filter.type.empty() && !is_job_type(filter.type)) {
        return invalid("type", "must be 1 to 200 of A-Z a-z 0-9 . _ - and start with a letter");
    }
    const auto after = TRY(read_token(filter.page_token));
    const int size = filter.page_size == 0 ? kDefaultPage : filter.page_size;
    return pool_.read(deadline, [&](postgres::Transaction& transaction) -> Result<JobPage> {
        const auto rows = TRY(transaction.exec(
            list_statement(),
            {after, filter.queue, filter.type,
             filter.state ? std::string(to_string(*filter.state)) : std::string(), size + 1}));
        JobPage page;
        for (const auto row : rows) {
            if (page.jobs.size() == static_cast<std::size_t>(size)) {
                page.next_page_token = token_of(page.jobs.back().id);
                return page;
            }
            page.jobs.push_back(to_job(row, Content::without_payload));
        }
        const bool filtered = !filter.queue.empty() || !filter.type.empty() || filter.state;
        if (filtered) {
            const auto end = TRY(transaction.exec(kWindowEnd, {after, kScan}));
            if (!end.empty()) {
                page.next_page_token = token_of(end.front().get<Uuid>(0));
            }
        }
        return page;
    });
}

}  // namespace gantry::jobs
