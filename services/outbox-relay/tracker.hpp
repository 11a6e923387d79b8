#pragma once

#include "gantry/base/clock.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace gantry::relay {

/// How far a reader is. In WAL mode: the end of the last whole transaction, and how many records of
/// the next one. In polling mode: ids of the last ledger row and the last wake-up of the round.
struct Position {
    std::uint64_t major = 0;
    std::uint64_t minor = 0;
    friend auto operator<=>(const Position&, const Position&) = default;
};

/// What was read and is not finished, in reading order.
///
/// Records finish in any order; progress moves only over an unbroken row of finished ones, so that
/// a position is never claimed while a record before it is open. Not thread-safe.
class Tracker {
public:
    /// A number that rises by one with every entry.
    using Ticket = std::uint64_t;

    /// A record: once it and all before it are finished, progress is `after`.
    Ticket add(Position after, std::size_t bytes, Instant committed);

    /// A place between records, reached as soon as all before it are finished. Marks without an
    /// open record between them share an entry and a ticket.
    Ticket mark(Position after);

    /// The record is acknowledged or parked. Each ticket of `add` is finished once.
    void finish(Ticket ticket);

    /// Forgets everything that is open; tickets go on rising, so that late finishes are ignored.
    void reset(Position progress);

    /// Everything up to here is finished.
    [[nodiscard]] Position progress() const { return progress_; }

    /// Whether the entry of this ticket and all before it are finished.
    [[nodiscard]] bool reached(Ticket ticket) const { return ticket < head_; }

    /// When a record was committed; nothing for a finished one at the front of the row.
    [[nodiscard]] std::optional<Instant> committed(Ticket ticket) const;

    /// When the oldest open record was committed.
    [[nodiscard]] std::optional<Instant> oldest() const;

    [[nodiscard]] std::size_t open_records() const { return open_records_; }
    [[nodiscard]] std::size_t open_bytes() const { return open_bytes_; }
    [[nodiscard]] bool empty() const { return entries_.empty(); }

private:
    struct Entry {
        Position after;
        Instant committed;
        std::size_t bytes = 0;
        bool finished = false;
    };
    void advance();

    std::deque<Entry> entries_;
    Ticket head_ = 0;  // of entries_.front()
    Position progress_;
    std::size_t open_records_ = 0;
    std::size_t open_bytes_ = 0;
};

}  // namespace gantry::relay
