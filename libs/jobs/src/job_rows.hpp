#pragma once

#include "gantry/jobs/job.hpp"
#include "gantry/postgres/connection.hpp"
#include "gantry/postgres/rows.hpp"

#include <string>

namespace gantry::jobs {

/// Whether the bytes of payload and result are read as well.
enum class Content { without_payload, with_payload };

/// The columns that `to_job` reads, of a row named `j`.
std::string job_columns(Content content);

/// The job in a row of `job_columns`.
Job to_job(const postgres::Row& row, Content content);

/// One job, wherever it is kept. `not_found` naming the id.
Result<Job> read_job(postgres::Transaction& transaction, const Uuid& id, Content content);

}  // namespace gantry::jobs
