#pragma once

#include "gantry/postgres/connection.hpp"
#include "pgoutput.hpp"
#include "publisher.hpp"
#include "snapshot.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace gantry::relay {

/// A proven moment: everything its snapshot sees is published.
struct Proven {
    std::string snapshot;
    std::int64_t heartbeat = 0;
    Instant at{};
};

/// WAL mode's progress: gantry.outbox_checkpoint.
struct Checkpoint {
    std::string slot;
    std::string system_identifier;
    Lsn end_lsn = 0;
    std::uint64_t tx_index = 0;
    std::optional<Proven> proven;
};

/// Polling mode's progress: gantry.outbox_cursor.
struct PollingCursor {
    std::optional<Snapshot> from;  ///< Nothing: nothing is known to be published.
    std::optional<Snapshot> to;    ///< The round under way.
    std::int64_t last_id = 0;
    std::int64_t last_wakeup_id = 0;
    friend bool operator==(const PollingCursor&, const PollingCursor&) = default;
};

/// An open change of the reader.
struct Handover {
    std::int64_t id = 0;
    std::string to_reader;
    std::optional<std::string> slot;
    std::optional<std::string> snapshot;
};

/// What a leader writes each second.
struct Tick {
    std::int64_t epoch = 0;
    milliseconds lease_ttl{0};
    std::optional<Checkpoint> checkpoint;
    std::optional<PollingCursor> cursor;
    bool heartbeat = false;
};

/// What it learns.
struct TickAnswer {
    std::optional<std::int64_t> heartbeat;
    std::optional<Handover> handover;
};

struct SlotState {
    Lsn confirmed = 0;
    bool active = false;
    bool lost = false;
};

struct WalUse {
    double lag_bytes = 0;
    double retained_bytes = 0;
};

/// The relay's side tables, over one connection of its own. Every write of a leader is fenced by
/// its epoch: `aborted` with reason `FENCED` when another has taken the lease. Not thread-safe.
class Store {
public:
    static Result<std::unique_ptr<Store>> open(const postgres::Options& options);

    /// Takes the lease if it is free or was this owner's before: the new epoch, or nothing while
    /// another holds it.
    Result<std::optional<std::int64_t>> take_lease(const std::string& owner, milliseconds ttl);
    /// Renews the lease and stores progress, in one transaction.
    Result<TickAnswer> tick(const Tick& tick);
    /// Gives the lease back, so that a standby takes over at once.
    Result<void> release(std::int64_t epoch);

    /// `wal` or `polling`.
    Result<std::string> reader_mode();
    /// Which lanes are written: `wal`, `polling` or `both`.
    Result<std::string> mode();
    Result<std::string> slot_name();
    Result<std::optional<Checkpoint>> load_checkpoint();
    Result<PollingCursor> load_cursor();
    Result<std::optional<SlotState>> slot_state(const std::string& slot);
    Result<WalUse> wal_use(const std::string& slot);
    Result<std::int64_t> parked_count();

    /// Ends the session that streams from the slot, while this epoch holds the lease.
    Result<void> terminate_reader(const std::string& slot, std::int64_t epoch);
    /// Drops the slot if nobody streams from it. True if it is gone.
    Result<bool> drop_slot(const std::string& slot, std::int64_t epoch);

    Result<void> park(const std::vector<Refused>& refused, std::int64_t epoch);
    /// Positions of the latest parked records, to be skipped when met again.
    Result<std::set<std::string>> parked_positions();

    /// Closes a handover to WAL and stores the checkpoint that streaming starts from.
    Result<void> finish_handover(const Handover& handover, std::int64_t epoch,
                                 const Checkpoint& checkpoint);
    /// Closes a handover to polling; its first snapshot is `snapshot`.
    Result<void> finish_handover(const Handover& handover, std::int64_t epoch,
                                 const std::string& snapshot);
    [[nodiscard]] bool usable() const { return connection_->usable(); }
    /// Transactions that hold up the making of a slot, by process id, for people.
    Result<std::string> oldest_writers();

private:
    explicit Store(std::unique_ptr<postgres::Connection> connection)
        : connection_(std::move(connection)) {}
    Result<std::string> setting(const std::string& name);
    template <class Body>
    auto transact(std::int64_t epoch, Body&& body)
        -> std::invoke_result_t<Body, postgres::Transaction&>;

    std::unique_ptr<postgres::Connection> connection_;
};

}  // namespace gantry::relay
