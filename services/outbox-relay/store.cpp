#include "store.hpp"

#include "gantry/base/encoding.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace gantry::relay {
namespace {

using postgres::Transaction;

constexpr const char* kTakeLease = R"(
    UPDATE gantry.outbox_lease
    SET epoch = epoch + 1, owner = $1, acquired_at = clock_timestamp(),
        expires_at = clock_timestamp() + $2::interval
    WHERE shard = 0 AND (expires_at <= clock_timestamp() OR owner = $1)
    RETURNING epoch)";

constexpr const char* kRenewLease = R"(
    UPDATE gantry.outbox_lease SET expires_at = clock_timestamp() + $2::interval
    WHERE shard = 0 AND epoch = $1::bigint)";

constexpr const char* kStoreCheckpoint = R"(
    INSERT INTO gantry.outbox_checkpoint AS c
        (shard, epoch, slot, system_identifier, end_lsn, tx_index, snapshot, heartbeat_id,
         snapshot_at, updated_at)
    VALUES (0, $1, $2, $3, $4::pg_lsn, $5, $6::pg_snapshot, $7, $8, clock_timestamp())
    ON CONFLICT (shard) DO UPDATE
    SET epoch = excluded.epoch, slot = excluded.slot,
        system_identifier = excluded.system_identifier, end_lsn = excluded.end_lsn,
        tx_index = excluded.tx_index, updated_at = excluded.updated_at,
        snapshot = coalesce(excluded.snapshot, c.snapshot),
        heartbeat_id = CASE WHEN excluded.snapshot IS NULL THEN c.heartbeat_id
                            ELSE excluded.heartbeat_id END,
        snapshot_at = CASE WHEN excluded.snapshot IS NULL THEN c.snapshot_at
                           ELSE excluded.snapshot_at END)";

constexpr const char* kStoreCursor = R"(
    INSERT INTO gantry.outbox_cursor AS c
        (shard, epoch, from_snapshot, to_snapshot, last_id, last_wakeup_id, updated_at)
    VALUES (0, $1, $2::pg_snapshot, $3::pg_snapshot, $4, $5, clock_timestamp())
    ON CONFLICT (shard) DO UPDATE
    SET epoch = excluded.epoch, from_snapshot = excluded.from_snapshot,
        to_snapshot = excluded.to_snapshot, last_id = excluded.last_id,
        last_wakeup_id = excluded.last_wakeup_id, updated_at = excluded.updated_at)";

constexpr const char* kOpenHandover = R"(
    SELECT id, to_reader, slot, snapshot::text FROM gantry.outbox_handover
    WHERE finished_at IS NULL)";

constexpr const char* kLoadCheckpoint = R"(
    SELECT slot, system_identifier, end_lsn::text, tx_index, snapshot::text,
           coalesce(heartbeat_id, 0), coalesce(snapshot_at, updated_at)
    FROM gantry.outbox_checkpoint WHERE shard = 0)";

constexpr const char* kLoadCursor = R"(
    SELECT from_snapshot::text, to_snapshot::text, last_id, last_wakeup_id
    FROM gantry.outbox_cursor WHERE shard = 0)";

constexpr const char* kSlotState = R"(
    SELECT confirmed_flush_lsn::text, active, coalesce(wal_status, '') = 'lost'
    FROM pg_replication_slots WHERE slot_name = $1)";

constexpr const char* kWalUse = R"(
    SELECT coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::float8,
           coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::float8
    FROM pg_replication_slots WHERE slot_name = $1)";

constexpr const char* kTerminate = R"(
    SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
    WHERE slot_name = $1 AND active_pid IS NOT NULL)";

constexpr const char* kPark = R"(
    INSERT INTO gantry.outbox_parked
        (position, lane, outbox_id, topic, key, type, payload, headers, reason, error, epoch)
    VALUES ($1, $2, $3, $4, $5::bytea, $6, $7::bytea, $8::jsonb, $9, $10, $11)
    ON CONFLICT (position) DO NOTHING)";

constexpr const char* kOldestWriters = R"(
    SELECT coalesce(string_agg(pid::text || ' (' || coalesce(application_name, '') || ')', ', '), '')
    FROM (SELECT pid, application_name FROM pg_stat_activity
          WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
          ORDER BY xact_start LIMIT 3) w)";

std::unexpected<Error> fenced() {
    return fail(Code::aborted, "another relay has taken the lease", "FENCED");
}

std::string headers_json(const kafka::Headers& headers) {
    auto object = nlohmann::json::object();
    for (const auto& [name, value] : headers) {
        object[name] = value.value_or("");
    }
    return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<postgres::Bytes> bytes(const std::optional<std::string>& value) {
    if (!value) {
        return std::nullopt;
    }
    return postgres::Bytes{*value};
}

Result<void> store_checkpoint(Transaction& transaction, std::int64_t epoch,
                              const Checkpoint& checkpoint) {
    postgres::Params params = {epoch, checkpoint.slot, checkpoint.system_identifier,
                               format_lsn(checkpoint.end_lsn), checkpoint.tx_index};
    if (checkpoint.proven) {
        params.emplace_back(checkpoint.proven->snapshot);
        params.emplace_back(checkpoint.proven->heartbeat);
        params.emplace_back(checkpoint.proven->at);
    } else {
        params.insert(params.end(), 3, postgres::Param(nullptr));
    }
    TRY(transaction.exec(kStoreCheckpoint, params));
    return {};
}

std::optional<std::string> text_of(const std::optional<Snapshot>& snapshot) {
    if (!snapshot) {
        return std::nullopt;
    }
    return snapshot->to_string();
}

Result<std::optional<Snapshot>> snapshot_of(const std::optional<std::string>& text) {
    if (!text) {
        return std::optional<Snapshot>{};
    }
    return std::optional<Snapshot>(TRY(Snapshot::parse(*text)));
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const postgres::Options& options) {
    auto own = options;
    // Each statement is small; a database that does not answer must not outlast the lease.
    own.statement_timeout = std::min(options.statement_timeout, milliseconds{2'000});
    own.idle_in_transaction_timeout = milliseconds{5'000};
    own.connect_timeout = std::min(options.connect_timeout, milliseconds{3'000});
    own.session["lock_timeout"] = "1s";
    return std::unique_ptr<Store>(new Store(TRY(postgres::Connection::open(own))));
}

/// Runs a leader's writes: the lease row is held, so that nobody takes it meanwhile.
template <class Body>
auto Store::transact(std::int64_t epoch, Body&& body)
    -> std::invoke_result_t<Body, postgres::Transaction&> {
    auto transaction = TRY(Transaction::begin(*connection_));
    const auto mine = TRY(transaction.exec(
        "SELECT FROM gantry.outbox_lease WHERE shard = 0 AND epoch = $1::bigint FOR NO KEY UPDATE",
        {epoch}));
    if (mine.empty()) {
        return fenced();
    }
    auto outcome = body(transaction);
    if (outcome) {
        TRY(transaction.commit());
    }
    return outcome;
}

Result<std::optional<std::int64_t>> Store::take_lease(const std::string& owner, milliseconds ttl) {
    const auto rows = TRY(connection_->exec(kTakeLease, {owner, ttl}));
    if (rows.empty()) {
        return std::optional<std::int64_t>{};
    }
    return std::optional<std::int64_t>(rows.front().get<std::int64_t>(0));
}

Result<TickAnswer> Store::tick(const Tick& tick) {
    auto transaction = TRY(Transaction::begin(*connection_));
    const auto renewed = TRY(transaction.exec(kRenewLease, {tick.epoch, tick.lease_ttl}));
    if (renewed.affected() != 1) {
        return fenced();
    }
    TickAnswer answer;
    if (tick.checkpoint) {
        TRY(store_checkpoint(transaction, tick.epoch, *tick.checkpoint));
    }
    if (tick.cursor) {
        TRY(transaction.exec(kStoreCursor,
                             {tick.epoch, text_of(tick.cursor->from), text_of(tick.cursor->to),
                              tick.cursor->last_id, tick.cursor->last_wakeup_id}));
    }
    if (tick.heartbeat) {
        const auto rows =
            TRY(transaction.exec("SELECT gantry.outbox_beat($1::bigint)", {tick.epoch}));
        answer.heartbeat = rows.front().get<std::int64_t>(0);
    }
    const auto rows = TRY(transaction.exec(kOpenHandover));
    if (!rows.empty()) {
        const auto row = rows.front();
        answer.handover = Handover{row.get<std::int64_t>(0), row.get<std::string>(1),
                                   row.get<std::optional<std::string>>(2),
                                   row.get<std::optional<std::string>>(3)};
    }
    TRY(transaction.commit());
    return answer;
}

Result<void> Store::release(std::int64_t epoch) {
    TRY(
        connection_->exec("UPDATE gantry.outbox_lease SET expires_at = '-infinity' "
                          "WHERE shard = 0 AND epoch = $1::bigint",
                          {epoch}));
    return {};
}

Result<std::string> Store::setting(const std::string& name) {
    const auto rows =
        TRY(connection_->exec("SELECT value FROM gantry.setting WHERE name = $1", {name}));
    if (rows.empty()) {
        return fail(Code::failed_precondition, "gantry.setting has no row " + name);
    }
    return rows.front().get<std::string>(0);
}

Result<std::string> Store::reader_mode() {
    return setting("outbox.reader");
}

Result<std::string> Store::mode() {
    return setting("outbox.mode");
}

Result<std::string> Store::slot_name() {
    return TRY(connection_->exec("SELECT gantry.outbox_slot()")).front().get<std::string>(0);
}

Result<std::optional<Checkpoint>> Store::load_checkpoint() {
    const auto rows = TRY(connection_->exec(kLoadCheckpoint));
    if (rows.empty()) {
        return std::optional<Checkpoint>{};
    }
    const auto row = rows.front();
    Checkpoint checkpoint;
    checkpoint.slot = row.get<std::string>(0);
    checkpoint.system_identifier = row.get<std::string>(1);
    checkpoint.end_lsn = TRY(parse_lsn(row.text(2)));
    checkpoint.tx_index = row.get<std::uint64_t>(3);
    if (!row.is_null(4)) {
        checkpoint.proven =
            Proven{row.get<std::string>(4), row.get<std::int64_t>(5), row.get<Instant>(6)};
    }
    return std::optional(std::move(checkpoint));
}

Result<PollingCursor> Store::load_cursor() {
    const auto rows = TRY(connection_->exec(kLoadCursor));
    PollingCursor cursor;
    if (!rows.empty()) {
        const auto row = rows.front();
        cursor.from = TRY(snapshot_of(row.get<std::optional<std::string>>(0)));
        cursor.to = TRY(snapshot_of(row.get<std::optional<std::string>>(1)));
        cursor.last_id = row.get<std::int64_t>(2);
        cursor.last_wakeup_id = row.get<std::int64_t>(3);
    }
    return cursor;
}

Result<std::optional<SlotState>> Store::slot_state(const std::string& slot) {
    const auto rows = TRY(connection_->exec(kSlotState, {slot}));
    if (rows.empty()) {
        return std::optional<SlotState>{};
    }
    const auto row = rows.front();
    SlotState state;
    state.confirmed = row.is_null(0) ? 0 : TRY(parse_lsn(row.text(0)));
    state.active = row.get<bool>(1);
    state.lost = row.get<bool>(2);
    return std::optional(state);
}

Result<WalUse> Store::wal_use(const std::string& slot) {
    const auto rows = TRY(connection_->exec(kWalUse, {slot}));
    if (rows.empty()) {
        return WalUse{};
    }
    return WalUse{rows.front().get<double>(0), rows.front().get<double>(1)};
}

Result<std::int64_t> Store::parked_count() {
    return TRY(connection_->exec("SELECT count(*) FROM gantry.outbox_parked"))
        .front()
        .get<std::int64_t>(0);
}

Result<void> Store::terminate_reader(const std::string& slot, std::int64_t epoch) {
    return transact(epoch, [&](Transaction& transaction) -> Result<void> {
        TRY(transaction.exec(kTerminate, {slot}));
        return {};
    });
}

Result<bool> Store::drop_slot(const std::string& slot, std::int64_t epoch) {
    const auto state = TRY(slot_state(slot));
    if (!state) {
        return true;
    }
    if (state->active) {
        return false;
    }
    // Dropping a slot is not transactional; the lease row is held meanwhile all the same.
    return transact(epoch, [&](Transaction& transaction) -> Result<bool> {
        TRY(transaction.exec("SELECT pg_drop_replication_slot($1)", {slot}));
        return true;
    });
}

Result<void> Store::park(const std::vector<Refused>& refused, std::int64_t epoch) {
    return transact(epoch, [&](Transaction& transaction) -> Result<void> {
        for (const auto& one : refused) {
            const auto type = kafka::find_header(one.record.headers, "ce_type").value_or("");
            const auto id = one.outbox_id != 0 ? std::optional(one.outbox_id) : std::nullopt;
            TRY(transaction.exec(kPark,
                                 {one.position, id ? "ledger" : "fast", id, one.record.topic,
                                  bytes(one.record.key), type, bytes(one.record.value),
                                  headers_json(one.record.headers), one.reason, one.error, epoch}));
        }
        return {};
    });
}

Result<std::set<std::string>> Store::parked_positions() {
    const auto rows = TRY(connection_->exec(
        "SELECT position FROM gantry.outbox_parked ORDER BY id DESC LIMIT 10000"));
    std::set<std::string> positions;
    for (const auto row : rows) {
        positions.insert(row.get<std::string>(0));
    }
    return positions;
}

Result<void> Store::finish_handover(const Handover& handover, std::int64_t epoch,
                                    const Checkpoint& checkpoint) {
    return transact(epoch, [&](Transaction& transaction) -> Result<void> {
        TRY(store_checkpoint(transaction, epoch, checkpoint));
        const auto done = TRY(transaction.exec(
            "SELECT gantry.finish_outbox_handover($1::bigint, $2::bigint)", {handover.id, epoch}));
        return done.front().get<bool>(0) ? Result<void>{} : fenced();
    });
}

Result<void> Store::finish_handover(const Handover& handover, std::int64_t epoch,
                                    const std::string& snapshot) {
    return transact(epoch, [&](Transaction& transaction) -> Result<void> {
        const auto done = TRY(transaction.exec(
            "SELECT gantry.finish_outbox_handover($1::bigint, $2::bigint, $3::pg_snapshot)",
            {handover.id, epoch, snapshot}));
        return done.front().get<bool>(0) ? Result<void>{} : fenced();
    });
}

Result<std::string> Store::oldest_writers() {
    return TRY(connection_->exec(kOldestWriters)).front().get<std::string>(0);
}

}  // namespace gantry::relay
