#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/jobs/job.hpp"
#include "gantry/postgres/pool.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gantry::jobs {

/// How a try ended.
enum class Ending {
    succeeded,
    retrying,     ///< Failed; runs again at `run_at`.
    dead,         ///< Failed for the last time.
    cancelled,    ///< Ended without success or failure, for `reason`.
    snoozed,      ///< Runs again at `run_at`; the try does not count.
    handed_back,  ///< Runs again at once, elsewhere; the try does not count.
};

/// The name of an ending as a metric's label.
std::string_view to_string(Ending ending);

/// The partition a record came from, and the epoch under which this process has it.
struct Source {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t epoch = 0;
};

/// The end of one try, to be written by a fenced update.
struct Completion {
    Uuid job;
    std::int64_t dispatch = 0;
    Source source;
    Ending ending = Ending::succeeded;
    int attempt = 0;        ///< The row's `attempt` from now on.
    Instant started_at{};   ///< When the try started.
    milliseconds delay{0};  ///< With retrying and snoozed: until `run_at`, by the server's clock.
    std::string error;      ///< With retrying and dead: why, without payload or personal data.
    std::string reason;     ///< With dead and cancelled: one snake_case word.
    std::optional<std::string> result;
    std::string result_content_type;
};

/// Work that commits with a completion, or not at all.
using Effects = std::function<Result<void>(postgres::Transaction&)>;

/// What a completion's transaction says of one completion.
enum class Applied {
    done,
    refused,    ///< The job had moved on, or its partition or lease is another's. Nothing changed.
    unwritten,  ///< It could not be written: the job is as it was, and its record or lease has to
                ///< bring it back. Never from a store, only from who gives up writing.
};

/// True if the database refused what was to be written, so that no repeat fares better. Anything
/// else (an outage, a missing right, a schema that is not there yet) may pass.
bool refuses_content(const Error& error);

class EpochFence;

/// Writes ends of tries. Thread-safe.
///
/// A completion is refused unless the job's dispatch is the completion's and the job is either
/// queued, with the source's epoch still current (checked under FOR SHARE), or running under a
/// lease of this owner. What hangs on an end (timer, dead row and dead-letter record, unique key,
/// lease, wake-up) is written in the same transaction, for the accepted ones only.
class CompletionStore {
public:
    /// `owner` names this process in leases; `dead_topic` is the full name of the dead-letter
    /// topic.
    CompletionStore(postgres::Pool& pool, std::string owner, std::string dead_topic);

    /// Writes a batch in one transaction. No job may be in it twice. Answers in order.
    Result<std::vector<Applied>> complete(std::span<const Completion> completions,
                                          Deadline deadline);

    /// Writes one together with `effects`. An error of the effects undoes all and is returned with
    /// `effects_failed` set.
    Result<Applied> complete_with(const Completion& completion, const Effects& effects,
                                  Deadline deadline, bool& effects_failed);

    [[nodiscard]] const std::string& owner() const { return owner_; }

private:
    static Result<EpochFence> lock(postgres::Transaction& transaction,
                                   std::span<const Completion> completions);
    Result<std::vector<Applied>> apply(postgres::Transaction& transaction, const EpochFence& fence,
                                       std::span<const Completion> completions);

    // Constant after construction.
    postgres::Pool& pool_;
    std::string owner_;
    std::string dead_topic_;
};

}  // namespace gantry::jobs
