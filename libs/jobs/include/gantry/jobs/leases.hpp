#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/jobs/completion.hpp"
#include "gantry/postgres/pool.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gantry::jobs {

/// A job that shall go on under a lease instead of its Kafka offset.
struct LeaseRequest {
    Uuid job;
    std::int64_t dispatch = 0;
    std::string queue;
    Source source;
    Instant started_at{};
};

/// A lease this process holds.
struct HeldLease {
    Uuid job;
    std::int64_t dispatch = 0;
};

/// Leases of long jobs: `gantry.job_lease`. Thread-safe.
class LeaseStore {
public:
    LeaseStore(postgres::Pool& pool, std::string owner) : pool_(pool), owner_(std::move(owner)) {}

    /// Makes the jobs `running` with a lease each, in one transaction, under the same fence as a
    /// completion. After it their offsets may be committed. A repeat is harmless. Answers in order.
    Result<std::vector<Applied>> take(std::span<const LeaseRequest> requests, Deadline deadline);

    /// Raises the beats. Gives the leases that this process no longer has.
    Result<std::vector<HeldLease>> beat(std::span<const HeldLease> leases, Deadline deadline);

private:
    // Constant after construction.
    postgres::Pool& pool_;
    std::string owner_;
};

}  // namespace gantry::jobs
