#pragma once

#include "gantry/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

/// PostgreSQL's logical replication stream as events: pgoutput, protocol version 1, text values.
/// Source: PostgreSQL 15 documentation, "Logical Replication Message Formats". Pure; no network.
namespace gantry::relay {

using Lsn = std::uint64_t;

/// `16/B374D848`, as PostgreSQL writes it.
std::string format_lsn(Lsn lsn);
Result<Lsn> parse_lsn(std::string_view text);

/// Microseconds since 2000-01-01 UTC, PostgreSQL's epoch.
using PgTime = std::int64_t;

/// A transaction's changes follow; it is committed already.
struct Begin {
    Lsn final_lsn = 0;
    PgTime commit_time = 0;
    std::uint32_t xid = 0;
};

/// The transaction's end.
struct Commit {
    Lsn end_lsn = 0;
};

/// One value of a row; borrows from the decoded bytes.
struct Value {
    enum class Kind { null, unchanged, text };
    Kind kind = Kind::null;
    std::string_view text;
};

/// A table's shape as the stream described it.
struct Relation {
    std::uint32_t id = 0;
    std::string schema;
    std::string name;
    std::vector<std::string> columns;

    /// The column's number; nothing if the table has no such column.
    [[nodiscard]] std::optional<std::size_t> find(std::string_view column) const;
};

/// A row was inserted. `relation` lives as long as the decoder or until it is described anew.
struct Insert {
    const Relation* relation = nullptr;
    std::vector<Value> values;
};

/// A logical message; borrows from the decoded bytes.
struct LogicalMessage {
    bool transactional = false;
    Lsn lsn = 0;
    std::string_view prefix;
    std::string_view content;
};

/// A message of no interest here: relation, type, origin, update, delete, truncate.
struct Other {
    char kind = 0;
};

using StreamEvent = std::variant<Other, Begin, Commit, Insert, LogicalMessage>;

/// Reads pgoutput messages. It remembers table descriptions, so use one for one connection.
class PgoutputDecoder {
public:
    /// Decodes one message. `data_loss` for bytes that do not follow the protocol; never reads
    /// outside of `bytes`. The result borrows from `bytes` and from the decoder.
    Result<StreamEvent> decode(std::string_view bytes);

private:
    std::unordered_map<std::uint32_t, Relation> relations_;
};

/// What a walsender sends inside CopyData.
struct WalData {
    Lsn start = 0;
    Lsn end = 0;
    std::string_view payload;
};
struct Keepalive {
    Lsn wal_end = 0;
    bool reply_requested = false;
};
using WalMessage = std::variant<WalData, Keepalive>;

/// Reads one CopyData body; the result borrows.
Result<WalMessage> decode_wal_message(std::string_view bytes);

/// The body of a standby status update that confirms everything before `flushed`.
std::string encode_status(Lsn flushed, PgTime now);

}  // namespace gantry::relay
