#pragma once

#include "gantry/base/result.hpp"
#include "gantry/postgres/options.hpp"
#include "gantry/postgres/params.hpp"
#include "gantry/postgres/rows.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::postgres {

/// One session with PostgreSQL. Not thread-safe: one thread at a time, but for `cancel`.
///
/// A session starts with `synchronous_commit=on`, `TimeZone=UTC` and the timeouts of its options.
/// It never reconnects by itself: a broken one stays broken.
///
/// Errors carry the SQLSTATE as their reason. Loss of the connection and a server that starts or
/// stops are `unavailable`; serialization failures and deadlocks `aborted`; a lock or statement
/// timeout `deadline_exceeded`; unique violations `already_exists`; 22023, which Gantry's own
/// functions raise, `invalid_argument` with their text. Texts that PostgreSQL could have filled
/// with values are replaced, so that no error repeats data.
class Connection {
public:
    static Result<std::unique_ptr<Connection>> open(const Options& options);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Runs one statement, in the open transaction or by itself.
    Result<Rows> exec(std::string_view sql, const Params& params = {});

    /// Runs a script of several statements without parameters.
    Result<void> exec_script(std::string_view sql);

    /// Asks the server to end the statement that runs now, which then fails. Unlike the rest, for
    /// another thread than the one that waits in `exec`. A request that comes between two
    /// statements does nothing, and a server that cannot be reached does not hear it.
    void cancel();

    /// False once the connection was lost.
    [[nodiscard]] bool usable() const;

    /// True while a transaction is open.
    [[nodiscard]] bool in_transaction() const { return in_transaction_; }

    /// The server process, as in `pg_stat_activity.pid`.
    [[nodiscard]] int backend_pid() const;

    /// Names the time between two crash recoveries of the server, in which this connection was
    /// opened. Within one, a transaction's id is never given to another.
    [[nodiscard]] const std::string& server_life() const;

private:
    friend class Transaction;
    class Impl;
    explicit Connection(std::unique_ptr<Impl> impl);

    std::unique_ptr<Impl> impl_;
    bool in_transaction_ = false;
};

/// A transaction on a connection; rolls back unless committed. Not thread-safe. Borrows its
/// connection.
class Transaction {
public:
    enum class Mode { read_write, read_only };

    static Result<Transaction> begin(Connection& connection, Mode mode = Mode::read_write);
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();

    /// Runs one statement. After an error only a rollback to a savepoint or of the whole helps.
    Result<Rows> exec(std::string_view sql, const Params& params = {});

    /// Runs `body` inside a savepoint: its error undoes its own changes only, and is returned.
    template <class Body>
    auto nested(Body&& body) -> decltype(body()) {
        TRY(savepoint());
        auto result = body();
        TRY(result ? release_savepoint() : rollback_to_savepoint());
        return result;
    }

    /// The transaction's id as text (xid8), assigned now if it had none.
    Result<std::string> xid();

    /// See `Connection::server_life`. The transaction is open.
    [[nodiscard]] const std::string& server_life() const;

    /// Commits. `unknown` with reason `COMMIT_UNKNOWN` if the connection was lost meanwhile:
    /// whether it committed can be asked of `commit_status` with an `xid()` and a `server_life()`
    /// that were read before.
    Result<void> commit();

    /// Rolls back. Idempotent; errors are of no consequence.
    void rollback();

private:
    explicit Transaction(Connection& connection) : connection_(&connection) {}
    Result<void> savepoint();
    Result<void> release_savepoint();
    Result<void> rollback_to_savepoint();

    Connection* connection_;
};

/// What became of a transaction.
enum class CommitStatus { committed, aborted, in_progress, unknown };

/// Asks `pg_xact_status` on another connection what became of a transaction of `server_life`.
///
/// A server that crashed forgets ids whose records it had not written yet, and gives them out
/// again: then the id may be another transaction's, so that `committed` is believed only within one
/// life of the server. `unknown` is final: no later answer will be clearer.
Result<CommitStatus> commit_status(Connection& connection, const std::string& xid,
                                   std::string_view server_life);

}  // namespace gantry::postgres
