#pragma once

#include "backlog.hpp"
#include "desk.hpp"
#include "gantry/postgres/connection.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace gantry::relay {

/// Reads the outbox by queries, on any PostgreSQL.
///
/// The cursor is a snapshot S: a round takes a snapshot N and publishes what N sees and S does not,
/// in id order, so that one long transaction stalls nobody and nothing is skipped. Rounds follow
/// each other without waiting for Kafka; N is stored as the new S once all of the round is
/// acknowledged or parked. Used by the relay's loop only.
class PollingReader {
public:
    explicit PollingReader(Desk& desk) : desk_(desk) {}

    /// Reads until `stop`, a change of mode, or a fault after which reading starts anew.
    Result<Ended> run(const std::stop_token& stop);

private:
    struct Round {
        Snapshot to;
        std::optional<Tracker::Ticket> end;  ///< Once all of it was read.
    };

    Result<void> prepare();
    Result<void> turn();
    Result<void> tick();
    Result<Ended> drain();
    /// Asks whether there is something to read, when it is time to.
    Result<void> look();
    Result<void> open_round(std::optional<Snapshot> to, std::int64_t after_id,
                            std::int64_t after_wakeup_id);
    /// Sends on what the open round holds.
    Result<void> advance_round();
    Result<void> end_round();
    Result<void> begin_transaction();
    /// Moves the stored cursor over rounds that are finished.
    void settle();
    void pace(bool found);
    Result<bool> finish_handover();
    /// True once there is none.
    Result<bool> drop_unused_slot();
    [[nodiscard]] bool reading() const { return !rounds_.empty() && !rounds_.back().end; }

    Desk& desk_;
    PollingCursor cursor_;               // as to be stored
    std::optional<Snapshot> read_from_;  // what the rounds so far cover
    std::deque<Round> rounds_;
    std::vector<Outgoing> page_;
    std::size_t used_ = 0;
    bool suspended_ = false;  // the transaction was ended because Kafka stalls
    SteadyTime blocked_since_{};
    bool blocked_ = false;
    SteadyTime next_tick_{};
    SteadyTime next_look_{};
    SteadyTime last_found_{};
    milliseconds interval_{0};
    std::optional<Handover> handover_;
    bool last_round_done_ = false;
    bool slot_gone_ = false;
    std::unique_ptr<ReadingSession> reader_;
    std::unique_ptr<Backlog> backlog_;
    // Last: what it publishes comes from the rest.
    std::unique_ptr<Publisher> publisher_;
};

}  // namespace gantry::relay
