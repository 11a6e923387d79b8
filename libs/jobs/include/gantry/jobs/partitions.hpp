#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/jobs/completion.hpp"
#include "gantry/postgres/pool.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gantry::jobs {

/// Who has which Kafka partition: `gantry.job_partition`. Thread-safe.
class PartitionStore {
public:
    PartitionStore(postgres::Pool& pool, std::string owner)
        : pool_(pool), owner_(std::move(owner)) {}

    /// Takes partitions over: raises their epochs, which from then on refuses every completion of
    /// an earlier owner. `slots` is how many jobs this process runs at once. Gives a source each,
    /// in the order of `partitions`.
    Result<std::vector<Source>> claim(
        std::span<const std::pair<std::string, std::int32_t>> partitions, int slots,
        Deadline deadline);

    /// Marks partitions as given back with everything finished or leased, if they are still this
    /// process's.
    Result<void> release(std::span<const Source> sources, Deadline deadline);

private:
    // Constant after construction.
    postgres::Pool& pool_;
    std::string owner_;
};

}  // namespace gantry::jobs
