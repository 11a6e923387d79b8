#pragma once

#include "publisher.hpp"
#include "reading_session.hpp"
#include "record_map.hpp"
#include "snapshot.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gantry::relay {

/// The outgoing form of a ledger row or a wake-up; a row that can be no record is marked so.
Outgoing to_outgoing(LedgerRow row, std::int64_t epoch, Position after);
Outgoing to_outgoing(const Wakeup& wakeup, Instant committed, std::string_view topic_prefix,
                     std::int64_t epoch, Position after);

/// Where wake-ups come from.
enum class WakeupSource {
    rows,  ///< gantry.outbox_wakeup: polling mode.
    jobs,  ///< gantry.wakeups_after(): the jobs that still wait, after the loss of a slot.
};

/// What to read: everything that the transaction sees, `to` sees if it is given, and `from` does
/// not see.
struct BacklogRange {
    std::optional<Snapshot> from;
    std::optional<Snapshot> to;
    std::int64_t after_id = 0;
    std::int64_t after_wakeup_id = 0;
    WakeupSource wakeups = WakeupSource::rows;
};

/// Reads wake-ups and then ledger rows in id order, page by page, inside the open transaction of a
/// session that it borrows. Only narrow rows are sorted; payloads are fetched by page, so that
/// memory stays bounded whatever their sizes.
class Backlog {
public:
    Backlog(ReadingSession& session, std::string topic_prefix, std::int64_t epoch)
        : session_(session), topic_prefix_(std::move(topic_prefix)), epoch_(epoch) {}

    Result<void> open(BacklogRange range);

    /// The next records, of roughly at most `bytes` (one at least); empty at the end.
    Result<std::vector<Outgoing>> next(std::size_t bytes);

    /// Where reading is: pass it to `open` to go on in a later transaction.
    [[nodiscard]] const BacklogRange& position() const { return range_; }

private:
    struct Entry {
        std::string id;
        std::string xid;
        std::string created;
        std::size_t bytes = 0;
    };
    Result<std::vector<Outgoing>> next_wakeups();
    Result<std::vector<Outgoing>> next_rows(std::size_t bytes);
    Result<std::vector<LedgerRow>> fetch(const std::vector<Entry>& entries);

    ReadingSession& session_;
    std::string topic_prefix_;
    std::int64_t epoch_;
    BacklogRange range_;
    bool wakeups_done_ = false;
    bool rows_done_ = false;
    std::vector<Entry> entries_;  // fetched from the cursor, payloads not yet
    std::size_t used_ = 0;        // of entries_
};

}  // namespace gantry::relay
