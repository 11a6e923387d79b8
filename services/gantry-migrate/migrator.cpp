#include "migrator.hpp"

#include "gantry/base/encoding.hpp"
#include "session.hpp"

#include <map>
#include <stop_token>
#include <string>
#include <vector>

namespace gantry::migrate {
namespace {

constexpr std::string_view kPrepare = R"(
CREATE SCHEMA IF NOT EXISTS gantry;
CREATE TABLE IF NOT EXISTS gantry.schema_migration (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE gantry.schema_migration IS 'Which migrations this database has.';
COMMENT ON COLUMN gantry.schema_migration.version IS 'Number of the migration.';
COMMENT ON COLUMN gantry.schema_migration.name IS 'Its name.';
COMMENT ON COLUMN gantry.schema_migration.checksum IS 'SHA-256 of its text.';
COMMENT ON COLUMN gantry.schema_migration.applied_at IS 'When it was applied.';
)";

struct Applied {
    std::string checksum;
    std::string applied_at;
};

std::string checksum_of(const Migration& migration) {
    return hex_encode(sha256(migration.sql));
}

Result<std::map<int, Applied>> read_applied(postgres::Connection& session) {
    const auto exists =
        TRY(session.exec("SELECT to_regclass('gantry.schema_migration') IS NOT NULL"));
    std::map<int, Applied> applied;
    if (!exists.front().get<bool>(0)) {
        return applied;
    }
    const auto rows = TRY(session.exec(
        "SELECT version, checksum, to_char(applied_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
        "FROM gantry.schema_migration"));
    for (const auto row : rows) {
        applied[row.get<int>(0)] = {row.get<std::string>(1), row.get<std::string>(2)};
    }
    return applied;
}

/// Refuses changed texts and holes; both mean that history was rewritten.
Result<void> check_history(std::span<const Migration> migrations,
                           const std::map<int, Applied>& applied) {
    std::string faults;
    bool missing = false;
    for (const auto& migration : migrations) {
        const auto found = applied.find(migration.version);
        if (found == applied.end()) {
            missing = true;
            continue;
        }
        if (missing) {
            faults +=
                "\n  " + std::string(migration.name) + " is applied, but one before it is not";
        }
        if (found->second.checksum != checksum_of(migration)) {
            faults += "\n  " + std::string(migration.name) + " was applied at " +
                      found->second.applied_at + " with another text than this binary has";
        }
    }
    if (faults.empty()) {
        return {};
    }
    return fail(Code::failed_precondition,
                "the database's history is not this release's; nothing was changed:" + faults,
                "MIGRATION_CHANGED");
}

Result<void> apply_once(postgres::Connection& session, const Migration& migration) {
    auto transaction = TRY(postgres::Transaction::begin(session));
    // Whoever waits for our lock waits no longer than we do for theirs.
    TRY(transaction.exec("SET LOCAL lock_timeout = '3s'"));
    TRY(transaction.exec(migration.sql));
    TRY(transaction.exec(
        "INSERT INTO gantry.schema_migration (version, name, checksum) VALUES ($1, $2, $3)",
        {migration.version, migration.name, checksum_of(migration)}));
    return transaction.commit();
}

Result<void> apply(postgres::Connection& session, const Migration& migration, Deadline deadline) {
    while (true) {
        auto applied = apply_once(session, migration);
        if (applied) {
            return applied;
        }
        const auto& state = applied.error().reason;
        const bool contended = state == "55P03" || state.starts_with("40");
        if (!contended || deadline.expired()) {
            return std::unexpected(
                std::move(applied.error())
                    .with_context(std::string(migration.name) + " was not applied"));
        }
        system_clock().sleep_for(milliseconds{500}, std::stop_token{});
    }
}

Result<void> warn_about_role(postgres::Connection& session, std::ostream& warnings) {
    const auto rows =
        TRY(session.exec("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gantry_producer')"));
    if (!rows.front().get<bool>(0)) {
        warnings << "warning: the role gantry_producer does not exist and this role may not create "
                    "it; applications that call gantry.enqueue() and gantry.publish() need it, or "
                    "EXECUTE on these functions\n";
    }
    return {};
}

/// Makes the coming partitions, again while another session holds a lock that is needed.
Result<void> make_partitions(postgres::Connection& session, Deadline deadline) {
    while (true) {
        const auto rows = TRY(session.exec(
            "SELECT coalesce(sum(pending), 0)::int FROM gantry.maintain_partitions()"));
        if (rows.front().get<int>(0) == 0) {
            return {};
        }
        if (deadline.expired()) {
            return fail(Code::deadline_exceeded,
                        "the partitions of the coming week could not be made: tables are locked");
        }
        system_clock().sleep_for(milliseconds{200}, std::stop_token{});
    }
}

}  // namespace

Result<void> migrate_up(postgres::Connection& session, std::span<const Migration> migrations,
                        Deadline deadline, std::ostream& out, std::ostream& warnings) {
    TRY(lock_database(session, deadline));
    auto applied = TRY(read_applied(session));
    TRY(check_history(migrations, applied));
    if (applied.empty()) {
        TRY(session.exec_script(kPrepare));
    }
    int count = 0;
    for (const auto& migration : migrations) {
        if (!applied.contains(migration.version)) {
            TRY(apply(session, migration, deadline));
            out << "applied " << migration.name << std::endl;
            ++count;
        }
    }
    TRY(make_partitions(session, deadline));
    TRY(warn_about_role(session, warnings));
    const int newest = applied.empty() ? 0 : applied.rbegin()->first;
    if (newest > migrations.back().version) {
        out << "the database is newer than this release: version " << newest << ", here "
            << migrations.back().version << '\n';
    } else if (count == 0) {
        out << "up to date at version " << newest << '\n';
    } else {
        out << "now at version " << migrations.back().version << '\n';
    }
    return {};
}

Result<void> print_status(postgres::Connection& session, std::span<const Migration> migrations,
                          std::ostream& out) {
    const auto applied = TRY(read_applied(session));
    for (const auto& migration : migrations) {
        const auto found = applied.find(migration.version);
        out << migration.name;
        if (found == applied.end()) {
            out << "  pending\n";
        } else {
            out << "  applied " << found->second.applied_at
                << (found->second.checksum == checksum_of(migration) ? "" : "  TEXT CHANGED")
                << '\n';
        }
    }
    for (const auto& [version, migration] : applied) {
        if (version > migrations.back().version) {
            out << version << "  applied " << migration.applied_at << "  by a newer release\n";
        }
    }
    if (applied.contains(1)) {
        const auto rows = TRY(session.exec(
            "SELECT name, value FROM gantry.setting WHERE name LIKE 'outbox.%' ORDER BY name"));
        for (const auto row : rows) {
            out << row.text(0) << "  " << row.text(1) << '\n';
        }
    }
    return {};
}

}  // namespace gantry::migrate
