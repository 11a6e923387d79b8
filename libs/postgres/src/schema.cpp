#include "gantry/postgres/schema.hpp"

#include <atomic>
#include <memory>

namespace gantry::postgres {

Result<void> require_schema(Pool& pool, Deadline deadline, int version) {
    const auto table =
        TRY(pool.exec(deadline, "SELECT to_regclass('gantry.schema_migration') IS NOT NULL"));
    int found = 0;
    if (table.front().get<bool>(0)) {
        const auto rows = TRY(pool.exec(
            deadline, "SELECT coalesce(max(version), 0)::int FROM gantry.schema_migration"));
        found = rows.front().get<int>(0);
    }
    if (found < version) {
        return fail(Code::failed_precondition,
                    "the database schema is at version " + std::to_string(found) +
                        ", this release needs version " + std::to_string(version) +
                        ": run gantry-migrate up",
                    "SCHEMA_TOO_OLD");
    }
    return {};
}

health::Check readiness_check(Pool& pool, int version) {
    const auto schema_seen = std::make_shared<std::atomic<bool>>(false);
    health::Check check;
    check.name = "postgres";
    check.readiness = true;
    check.period = milliseconds{1'000};
    check.timeout = milliseconds{2'000};
    check.run = [&pool, version, schema_seen](std::stop_token) -> health::CheckResult {
        const auto deadline = Deadline::after(milliseconds{1'500});
        Result<void> outcome;
        if (schema_seen->load()) {
            if (auto pong = pool.exec(deadline, "SELECT 1"); !pong) {
                outcome = std::unexpected(std::move(pong).error());
            }
        } else {
            outcome = require_schema(pool, deadline, version);
            schema_seen->store(outcome.has_value());
        }
        if (!outcome) {
            return {health::Status::unhealthy, outcome.error().message};
        }
        return {health::Status::healthy, {}};
    };
    return check;
}

}  // namespace gantry::postgres
