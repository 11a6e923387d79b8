#pragma once

#include "gantry/base/result.hpp"
#include "gantry/jobs/job.hpp"
#include "gantry/postgres/connection.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gantry::jobs {

/// A job's row as it is after a change of state, with what hangs on the change.
struct Changed {
    Uuid id;
    std::int64_t dispatch = 0;
    State state = State::queued;
    std::string queue;
    std::string type;
    std::string key;
    std::string unique_key;
    int attempt = 0;
    std::string reason;   ///< Of a dead one.
    std::string error;    ///< Of a dead one.
    std::string history;  ///< Of a dead one, as JSON.
};

/// The columns that `to_changed` reads, of a row named `j`.
extern const std::string_view kChangedColumns;
Changed to_changed(const postgres::Row& row);

/// Writes what the changes entail: timers, dead rows and dead-letter records, freed unique keys,
/// wake-ups. In a second statement, for rows that were really changed.
Result<void> write_side_effects(postgres::Transaction& transaction,
                                std::span<const Changed> changes, const std::string& dead_topic);

}  // namespace gantry::jobs
