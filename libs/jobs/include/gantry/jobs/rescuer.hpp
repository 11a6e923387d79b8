#pragma once

#include "gantry/hosting/polling_worker.hpp"
#include "gantry/metrics/registry.hpp"
#include "gantry/postgres/connection.hpp"
#include "gantry/postgres/options.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gantry::jobs {

/// A lease as a scan saw it.
struct SeenLease {
    Uuid job;
    std::int64_t dispatch = 0;
    std::int64_t beat = 0;
    friend bool operator==(const SeenLease&, const SeenLease&) = default;
};

/// Tells which leases have stood still for `limit` on this process's own clock. Pure; not
/// thread-safe.
class StillLeases {
public:
    explicit StillLeases(milliseconds limit) : limit_(limit) {}

    /// Takes in a scan; gives the leases whose beat has been seen unchanged for the limit.
    std::vector<SeenLease> look(std::span<const SeenLease> leases, SteadyTime now);

    /// Forgets everything, after the database was away: nobody could beat.
    void forget() { seen_.clear(); }

private:
    struct Seen {
        SeenLease lease;
        SteadyTime since;
    };
    milliseconds limit_;
    std::map<Uuid, Seen> seen_;
};

/// Gives the jobs of dead workers back: queued with a new dispatch and a wake-up, or dead with
/// reason `worker_crashed` when that has happened `kMaxCrashes` times in a row.
///
/// A lease is taken only after this process itself saw its beat unchanged for 8 s over one unbroken
/// session, so neither a stopped clock nor an outage of the database expires a live worker's lease.
class Rescuer final : public hosting::PollingWorker {
public:
    static constexpr milliseconds kLeaseTime{8'000};
    static constexpr int kMaxCrashes = 3;

    Rescuer(std::string name, hosting::Context& context, postgres::Options database,
            std::string dead_topic, milliseconds lease_time = kLeaseTime);
    ~Rescuer() override { join(); }

protected:
    Result<Next> run_once(std::stop_token stop) override;

private:
    // Constant after construction.
    postgres::Options database_;
    std::string dead_topic_;
    metrics::Counter& rescued_;
    // Used by the loop only.
    std::unique_ptr<postgres::Connection> session_;
    StillLeases still_;
};

/// Takes the leases and re-queues their jobs, those whose beat has moved meanwhile left out.
/// Returns how many jobs were given back or ended.
Result<std::size_t> rescue(postgres::Connection& session, std::span<const SeenLease> leases,
                           const std::string& dead_topic);

}  // namespace gantry::jobs
