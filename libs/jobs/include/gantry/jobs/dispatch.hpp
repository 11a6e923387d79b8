#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/jobs/job.hpp"
#include "gantry/jobs/retry.hpp"
#include "gantry/postgres/pool.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gantry::jobs {

/// What a wake-up record says: job `id` waits for a worker under this `dispatch`. `xid` is the
/// transaction that woke it; empty where none is known.
struct Wakeup {
    Uuid id;
    std::int64_t dispatch = 0;
    std::string xid;
};

/// Reads the value of a wake-up record. `invalid_argument` if it is none.
Result<Wakeup> parse_wakeup(std::string_view json);

/// All that running a job takes.
struct Runnable {
    Uuid id;
    std::int64_t dispatch = 0;
    std::string queue;
    std::string type;
    std::string key;  ///< Empty: none.
    std::string payload;
    std::string content_type;
    int attempt = 0;  ///< Tries that counted before this one.
    int max_attempts = 0;
    milliseconds timeout{0};
    RetryPolicy retry;
    std::string traceparent;
    Instant created_at{};
    bool expired = false;  ///< Its `expires_at` has passed: to be cancelled.
};

/// What the row says to a wake-up.
enum class Verdict {
    run,      ///< It is queued under this dispatch.
    stale,    ///< It has moved on; the record can do nothing.
    missing,  ///< There is no such row, or it is not visible yet.
};

struct Checked {
    Verdict verdict = Verdict::missing;
    std::optional<Runnable> job;  ///< With `run`.
};

/// Compares wake-ups with their rows and fetches the payloads of those to run, in one statement.
/// The answers have the order of `wakeups`.
Result<std::vector<Checked>> check(postgres::Pool& pool, std::span<const Wakeup> wakeups,
                                   Deadline deadline);

/// What became of the transaction that a missing row's wake-up names. The log can be read before
/// the commit is visible, so a missing row is no proof of anything.
enum class Origin {
    in_progress,  ///< Ask again.
    committed,    ///< Look once more; then the row is gone.
    void_record,  ///< Rolled back, too old to know, or of another history of the database.
};
Result<Origin> origin_of(postgres::Pool& pool, const std::string& xid, Deadline deadline);

}  // namespace gantry::jobs
