#include "mode.hpp"

#include "gantry/base/units.hpp"
#include "session.hpp"
#include "slot.hpp"

#include <optional>
#include <set>
#include <stop_token>
#include <string>

namespace gantry::migrate {
namespace {

using postgres::Connection;
using postgres::Transaction;

struct State {
    std::string mode;
    std::string reader;
    std::optional<std::int64_t> handover;
    std::optional<std::string> handover_to;
};

Result<State> read_state(Connection& session) {
    const auto exists =
        TRY(session.exec("SELECT to_regclass('gantry.outbox_handover') IS NOT NULL"));
    if (!exists.front().get<bool>(0)) {
        return fail(Code::failed_precondition, "the schema is missing: run gantry-migrate up first",
                    "SCHEMA_TOO_OLD");
    }
    const auto rows = TRY(session.exec(R"(
        SELECT (SELECT value FROM gantry.setting WHERE name = 'outbox.mode'),
               (SELECT value FROM gantry.setting WHERE name = 'outbox.reader'),
               h.id, h.to_reader
        FROM (SELECT 1) one LEFT JOIN gantry.outbox_handover h ON h.finished_at IS NULL)"));
    const auto row = rows.front();
    return State{row.get<std::string>(0), row.get<std::string>(1),
                 row.get<std::optional<std::int64_t>>(2), row.get<std::optional<std::string>>(3)};
}

Result<void> write_mode(Connection& session, const std::string& mode) {
    TRY(session.exec(
        "UPDATE gantry.setting SET value = $1, updated_at = now() WHERE name = 'outbox.mode'",
        {mode}));
    return {};
}

/// Transactions of this database that were open, by the virtual id that each holds locked until its
/// end, read-only ones too: a snapshot they took earlier may still tell them the mode before.
Result<std::set<std::string>> open_transactions(Connection& session) {
    const auto rows = TRY(session.exec(R"(
        SELECT l.virtualtransaction || ' of process ' || l.pid
        FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock'
          AND a.datname = current_database() AND l.pid <> pg_backend_pid()
        UNION ALL
        SELECT 'prepared transaction ' || p.transaction
        FROM pg_prepared_xacts p WHERE p.database = current_database())"));
    std::set<std::string> open;
    for (const auto row : rows) {
        open.insert(row.get<std::string>(0));
    }
    return open;
}

Result<void> wait_for_older_transactions(Connection& session, Deadline deadline) {
    auto older = TRY(open_transactions(session));
    while (!older.empty()) {
        if (deadline.expired()) {
            return fail(Code::deadline_exceeded,
                        "transactions that began before the change have been open all the while, "
                        "one of them " +
                            *older.begin() + "; both lanes are written meanwhile, run this again",
                        "OLD_TRANSACTIONS");
        }
        system_clock().sleep_for(milliseconds{50}, std::stop_token{});
        const auto still = TRY(open_transactions(session));
        std::erase_if(older, [&](const std::string& id) { return !still.contains(id); });
    }
    return {};
}

/// Where no relay has ever led, nothing was published: the first one reads everything from the
/// ledger. True if that was so and the change is done.
Result<bool> change_without_relay(Connection& session, const std::string& mode) {
    auto transaction = TRY(Transaction::begin(session));
    // A relay takes this row before it reads outbox.reader.
    const auto lease =
        TRY(transaction.exec("SELECT epoch FROM gantry.outbox_lease WHERE shard = 0 FOR UPDATE"));
    const auto traces = TRY(transaction.exec(R"(
        SELECT EXISTS (SELECT FROM gantry.outbox_checkpoint)
            OR EXISTS (SELECT FROM gantry.outbox_cursor)
            OR EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = gantry.outbox_slot()))"));
    if (lease.empty() || lease.front().get<std::int64_t>(0) != 0 || traces.front().get<bool>(0)) {
        return false;
    }
    if (mode == "polling") {
        // Wake-ups from before went to the log alone, which nobody has read.
        TRY(transaction.exec(R"(
            INSERT INTO gantry.outbox_wakeup (queue, job, dispatch, key)
            SELECT w.queue, w.job, w.dispatch, w.key
            FROM gantry.wakeups_after(NULL) w
            WHERE NOT EXISTS (SELECT FROM gantry.outbox_wakeup o
                              WHERE o.job = w.job AND o.dispatch = w.dispatch)
            ORDER BY w.xid, w.job)"));
    }
    TRY(
        transaction.exec("UPDATE gantry.setting SET value = $1, updated_at = now() "
                         "WHERE name IN ('outbox.mode', 'outbox.reader')",
                         {mode}));
    TRY(transaction.commit());
    return true;
}

/// What a slot needs, asked before anything is changed.
Result<void> require_logical_decoding(Connection& session) {
    const auto rows =
        TRY(session.exec("SELECT current_setting('wal_level'), rolreplication OR rolsuper "
                         "FROM pg_roles WHERE rolname = current_user"));
    if (rows.front().text(0) != "logical") {
        return fail(Code::failed_precondition,
                    "mode wal needs wal_level=logical in postgresql.conf and a restart; it is " +
                        rows.front().get<std::string>(0),
                    "WAL_LEVEL");
    }
    if (!rows.front().get<bool>(1)) {
        return fail(Code::permission_denied,
                    "mode wal needs a role with the REPLICATION attribute: ALTER ROLE … "
                    "REPLICATION",
                    "NO_REPLICATION");
    }
    return {};
}

Result<void> drop_idle_slot(Connection& session, const std::string& slot) {
    const auto rows =
        TRY(session.exec("SELECT active FROM pg_replication_slots WHERE slot_name = $1", {slot}));
    if (rows.empty()) {
        return {};
    }
    if (rows.front().get<bool>(0)) {
        return fail(Code::failed_precondition,
                    "the replication slot " + slot + " is in use by another process", "SLOT_BUSY");
    }
    TRY(session.exec("SELECT pg_drop_replication_slot($1)", {slot}));
    return {};
}

/// The text of an exported snapshot, as `pg_visible_in_snapshot` reads it.
Result<std::string> snapshot_text(Connection& session, const std::string& name) {
    TRY(session.exec_script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    auto imported = session.exec_script("SET TRANSACTION SNAPSHOT '" + name + "'");
    auto rows = imported ? session.exec("SELECT pg_current_snapshot()::text")
                         : std::unexpected(std::move(imported).error());
    TRY(session.exec_script("ROLLBACK"));
    return TRY(std::move(rows)).front().get<std::string>(0);
}

/// Makes the slot and asks the polling relay to stop at the snapshot where its stream begins.
Result<void> request_wal(Connection& session, const Options& options, Deadline deadline) {
    const auto names = TRY(session.exec("SELECT gantry.outbox_slot()"));
    const auto slot = names.front().get<std::string>(0);
    TRY(drop_idle_slot(session, slot));
    const auto created = TRY(NewSlot::create(options.database_url, slot, deadline));
    auto request = [&]() -> Result<void> {
        const auto snapshot = TRY(snapshot_text(session, created.snapshot_name()));
        TRY(
            session.exec("INSERT INTO gantry.outbox_handover (to_reader, slot, snapshot) "
                         "VALUES ('wal', $1, $2::pg_snapshot)",
                         {slot, snapshot}));
        return {};
    }();
    if (!request && session.usable()) {
        // An unused slot would keep the server's log for ever.
        static_cast<void>(session.exec("SELECT pg_drop_replication_slot($1)", {slot}));
    }
    return request;
}

Result<void> await_relay(Connection& session, const Options& options, std::ostream& out) {
    const auto deadline = Deadline::after(options.handover);
    while (true) {
        const auto state = TRY(read_state(session));
        if (!state.handover) {
            out << "the outbox's mode is " << state.reader << '\n';
            return {};
        }
        if (deadline.expired()) {
            out << "the change to " << options.mode
                << " is recorded; outbox-relay finishes it as soon as it leads\n";
            return {};
        }
        system_clock().sleep_for(milliseconds{100}, std::stop_token{});
    }
}

}  // namespace

Result<void> set_mode(Connection& session, const Options& options, std::ostream& out,
                      std::ostream& warnings) {
    const auto deadline = Deadline::after(options.wait);
    TRY(lock_database(session, deadline));
    const auto state = TRY(read_state(session));
    if (state.handover) {
        if (*state.handover_to != options.mode) {
            return fail(Code::failed_precondition,
                        "a change to " + *state.handover_to +
                            " is under way; outbox-relay has to finish it first",
                        "MODE_CHANGING");
        }
        return await_relay(session, options, out);
    }
    if (state.reader == options.mode) {
        if (state.mode != options.mode) {
            warnings << "taking back a change of mode that was interrupted\n";
            TRY(write_mode(session, options.mode));
        }
        out << "the outbox's mode is " << options.mode << '\n';
        return {};
    }
    if (options.mode == "wal") {
        TRY(require_logical_decoding(session));
    }
    TRY(write_mode(session, "both"));
    TRY(wait_for_older_transactions(session, deadline));
    if (TRY(change_without_relay(session, options.mode))) {
        out << "the outbox's mode is " << options.mode << '\n';
        return {};
    }
    if (options.mode == "wal") {
        if (auto requested = request_wal(session, options, deadline); !requested) {
            // Nobody was asked to go over: nothing speaks against taking it back.
            static_cast<void>(write_mode(session, state.reader));
            return requested;
        }
    } else {
        TRY(session.exec("INSERT INTO gantry.outbox_handover (to_reader) VALUES ('polling')"));
    }
    return await_relay(session, options, out);
}

}  // namespace gantry::migrate
