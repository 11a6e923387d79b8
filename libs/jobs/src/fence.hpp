#pragma once

#include "gantry/base/result.hpp"
#include "gantry/jobs/completion.hpp"
#include "gantry/postgres/connection.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

namespace gantry::jobs {

/// The current epochs of partitions, locked FOR SHARE until the transaction ends: a takeover, which
/// raises them, waits for it.
class EpochFence {
public:
    static Result<EpochFence> lock(postgres::Transaction& transaction,
                                   std::span<const Source* const> sources);

    /// True if the source's epoch is the partition's.
    [[nodiscard]] bool holds(const Source& source) const;

private:
    std::map<std::pair<std::string, std::int32_t>, std::int64_t> epochs_;
};

}  // namespace gantry::jobs
