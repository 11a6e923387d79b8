#pragma once

#include "gantry/health/registry.hpp"
#include "gantry/postgres/pool.hpp"

namespace gantry::postgres {

/// The migration that this release's code needs at least.
inline constexpr int kSchemaVersion = 6;

/// `failed_precondition`, saying what to run, if the database's schema is older than `version`. A
/// newer one is fine: migrations only expand what the release before uses.
Result<void> require_schema(Pool& pool, Deadline deadline, int version = kSchemaVersion);

/// The readiness check `postgres`: the server answers and its schema is new enough. `pool` must
/// outlive it.
health::Check readiness_check(Pool& pool, int version = kSchemaVersion);

}  // namespace gantry::postgres
