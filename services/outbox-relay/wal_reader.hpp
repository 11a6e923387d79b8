#pragma once

#include "desk.hpp"
#include "pgoutput.hpp"
#include "record_map.hpp"
#include "replication.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>

namespace gantry::relay {

/// Reads the outbox from PostgreSQL's write-ahead log through a logical replication slot.
///
/// One is made for one stretch of reading. Records go on as they arrive, with no barrier between
/// transactions; the server is told that something is done only after the stored checkpoint says
/// so. Used by the relay's loop only.
class WalReader {
public:
    explicit WalReader(Desk& desk) : desk_(desk) {}

    /// Reads until `stop`, a change of mode, or a fault after which reading starts anew.
    Result<Ended> run(const std::stop_token& stop);

private:
    /// The values of a ledger row by their place in the stream's rows.
    enum Column {
        id,
        xid,
        created_at,
        topic,
        key,
        type,
        payload,
        headers,
        trace,
        subject,
        source,
        content_type,
        kColumns
    };
    using ColumnMap = std::array<std::optional<std::size_t>, kColumns>;

    struct Beat {
        Tracker::Ticket ticket;
        Proven proven;
    };

    Result<void> prepare(const std::stop_token& stop);
    Result<void> start_stream(const std::stop_token& stop);
    Result<Ended> drain();

    /// One turn of the loop: timers, answers, reading, waiting.
    Result<void> turn();
    Result<void> tick();
    Result<void> confirm();
    /// True if there may be more to read at once.
    Result<bool> read();
    Result<void> handle(std::string_view message);
    Result<void> handle(const Begin& begin);
    Result<void> handle(const Commit& commit);
    Result<void> handle(const Insert& insert);
    Result<void> handle(const LogicalMessage& message);
    Result<void> handle_row(const Insert& insert);
    Result<void> handle_beat(const Insert& insert);
    Result<const ColumnMap*> columns_of(const Relation& relation);
    void publish(Outgoing outgoing);
    [[nodiscard]] bool skip(std::string_view xid) const;
    void settle_beats();

    Desk& desk_;
    std::string slot_;
    std::string system_identifier_;
    PgoutputDecoder decoder_;
    std::unordered_map<std::uint32_t, ColumnMap> columns_;
    // The transaction that is being read.
    Lsn base_ = 0;             // end of the one before
    std::uint64_t index_ = 0;  // records of it so far
    std::uint64_t skip_ = 0;   // its first records were done before a restart
    Instant committed_;
    bool in_transaction_ = false;
    // Progress.
    std::deque<Beat> beats_;
    std::optional<Proven> proven_;  // newer than the stored one
    Lsn stored_ = 0;
    SteadyTime next_tick_{};
    SteadyTime next_status_{};
    bool reply_ = false;
    // A change of mode: reading stops when this beat comes back.
    std::optional<Handover> handover_;
    std::optional<std::int64_t> last_beat_;
    std::optional<std::string> frozen_;  // that beat's snapshot
    std::unique_ptr<Replication> stream_;
    // Last: what it publishes comes from the rest.
    std::unique_ptr<Publisher> publisher_;
};

}  // namespace gantry::relay
