#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/jobs/job.hpp"
#include "gantry/postgres/pool.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::jobs {

/// Which jobs to list.
struct JobFilter {
    std::string queue;           ///< Empty: every queue.
    std::string type;            ///< Empty: every type.
    std::optional<State> state;  ///< Absent: every state.
    int page_size = 0;           ///< 1 to 1000; 0: 100.
    std::string page_token;      ///< Of the page before; empty: the newest.
};

/// A page of jobs without payloads and results.
struct JobPage {
    std::vector<Job> jobs;
    std::string next_page_token;  ///< Empty on the last page.
};

/// Reads jobs. Thread-safe.
class JobStore {
public:
    explicit JobStore(postgres::Pool& pool) : pool_(pool) {}

    /// One job with payload and result. `not_found` naming the id.
    Result<Job> find(const Uuid& id, Deadline deadline);

    /// The job that a Kafka producer sent as the CloudEvent `id`. `not_found` naming it;
    /// `failed_precondition` (`AMBIGUOUS_EVENT_ID`) if two producers used it, naming both sources.
    Result<Job> find_external(std::string_view id, Deadline deadline);

    /// Jobs, newest first. A filter that few jobs match looks at a bounded number of rows a page,
    /// so a page may be short, or empty, and still have a next one.
    Result<JobPage> list(const JobFilter& filter, Deadline deadline);

private:
    postgres::Pool& pool_;
};

}  // namespace gantry::jobs
