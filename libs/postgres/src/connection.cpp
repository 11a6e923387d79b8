#include "gantry/postgres/connection.hpp"

#include "errors.hpp"
#include "gantry/base/ensure.hpp"
#include "rows_impl.hpp"

#include <algorithm>
#include <pqxx/pqxx>
#include <string>
#include <utility>
#include <vector>

namespace gantry::postgres {
namespace {

/// PostgreSQL's notices go nowhere: they can name values, and nobody reads them.
class DropNotices final : public pqxx::errorhandler {
public:
    explicit DropNotices(pqxx::connection_base& connection) : pqxx::errorhandler(connection) {}
    bool operator()(const char[]) noexcept override { return false; }
};

/// The keywords that go beside the URI: limits that make a half-open connection end.
std::string connection_string(const Options& options) {
    const auto seconds = std::max<std::int64_t>(2, options.connect_timeout.count() / 1000);
    const auto unacknowledged = options.statement_timeout.count();
    std::string text = options.current_url();
    text += text.find('?') == std::string::npos ? '?' : '&';
    text += "connect_timeout=" + std::to_string(seconds);
    text += "&keepalives_idle=10&keepalives_interval=5&keepalives_count=3";
    text += "&tcp_user_timeout=" + std::to_string(std::min<std::int64_t>(unacknowledged, 30'000));
    return text;
}

std::string quoted(std::string_view value) {
    std::string text = "'";
    for (const char c : value) {
        text += c;
        if (c == '\'') {
            text += c;
        }
    }
    return text + "'";
}

// Statistics are reset by every crash recovery, and kept by an orderly restart. A reset by hand
// only makes us more careful.
constexpr std::string_view kServerLife =
    "SELECT coalesce(stats_reset::text, '') FROM pg_stat_bgwriter";

std::string session_script(const Options& options) {
    const auto ms = [](milliseconds limit) { return std::to_string(limit.count()); };
    std::string script =
        "SET synchronous_commit = on; SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; "
        "SET bytea_output = 'hex'; SET client_encoding = 'UTF8'; SET standard_conforming_strings = "
        "on; "
        "SET statement_timeout = " +
        ms(options.statement_timeout) +
        "; SET idle_in_transaction_session_timeout = " + ms(options.idle_in_transaction_timeout) +
        "; SET application_name = " + quoted(options.application_name);
    for (const auto& [name, value] : options.session) {
        script += "; SET " + name + " = " + quoted(value);
    }
    return script + "; " + std::string(kServerLife);
}

}  // namespace

class Connection::Impl {
public:
    explicit Impl(const Options& options)
        : connection(connection_string(options)), drop_notices(connection), session(connection) {
        // Without DETAIL and HINT, whose texts repeat values of rows.
        connection.set_verbosity(pqxx::connection_base::terse);
        server_life = session.exec(session_script(options))[0][0].c_str();
    }

    pqxx::connection connection;
    DropNotices drop_notices;
    // A "nontransaction" sends statements as they are, so that BEGIN and COMMIT are ours and a
    // connection lost at COMMIT is seen as such. While it lives, libpqxx does not reconnect behind
    // our back.
    pqxx::nontransaction session;
    std::string server_life;
    bool lost = false;
};

namespace {

/// Runs `body` and turns every exception of libpqxx into an error; `lost` tells whether the session
/// is gone.
template <class Body>
auto guarded(bool& lost, Body&& body) -> Result<std::invoke_result_t<Body>> {
    using Value = std::invoke_result_t<Body>;
    try {
        if constexpr (std::is_void_v<Value>) {
            body();
            return {};
        } else {
            return body();
        }
    } catch (const pqxx::broken_connection&) {
        lost = true;
        return std::unexpected(connection_lost("the connection to the database was lost"));
    } catch (const pqxx::insufficient_privilege& refused) {
        // libpqxx 6 throws this one without its SQLSTATE.
        return std::unexpected(error_of_sqlstate("42501", refused.what()));
    } catch (const pqxx::sql_error& refused) {
        // Class 57P and 25P03 are said right before the server closes the session.
        const auto& state = refused.sqlstate();
        lost = lost || state.empty() || state.starts_with("57P0") || state == "25P03" ||
               state.starts_with("08");
        if (state.empty()) {
            return std::unexpected(connection_lost("the connection to the database was lost"));
        }
        return std::unexpected(error_of_sqlstate(state, refused.what()));
    } catch (const pqxx::serialization_failure&) {
        return std::unexpected(error_of_sqlstate("40001", ""));
    } catch (const pqxx::deadlock_detected&) {
        return std::unexpected(error_of_sqlstate("40P01", ""));
    } catch (const pqxx::transaction_rollback&) {
        return std::unexpected(error_of_sqlstate("40000", ""));
    } catch (const pqxx::failure&) {
        lost = true;
        return std::unexpected(connection_lost("the connection to the database failed"));
    } catch (const std::exception&) {
        lost = true;
        return std::unexpected(
            Error{Code::internal, "libpqxx refused the statement", "LIBPQXX", {}});
    }
}

}  // namespace

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::open(const Options& options) {
    bool lost = false;
    auto impl = guarded(lost, [&] { return std::make_unique<Impl>(options); });
    if (!impl) {
        auto error = std::move(impl).error();
        if (error.reason == "DATABASE_UNAVAILABLE") {
            error.message = "the database cannot be reached";
        }
        return std::unexpected(std::move(error));
    }
    return std::unique_ptr<Connection>(new Connection(*std::move(impl)));
}

Result<Rows> Connection::exec(std::string_view sql, const Params& params) {
    if (!usable()) {
        return std::unexpected(connection_lost("the connection to the database was lost"));
    }
    for (const auto& param : params) {
        if (param.text() && param.text()->find('\0') != std::string::npos) {
            return fail(Code::invalid_argument, "a text parameter holds a NUL character",
                        "NUL_CHARACTER");
        }
    }
    return guarded(impl_->lost, [&] {
        if (params.empty()) {
            return Rows(std::make_shared<Rows::Impl>(impl_->session.exec(std::string(sql))));
        }
        std::vector<const char*> values;
        values.reserve(params.size());
        for (const auto& param : params) {
            values.push_back(param.text() ? param.text()->c_str() : nullptr);
        }
        return Rows(std::make_shared<Rows::Impl>(impl_->session.exec_params(
            std::string(sql), pqxx::prepare::make_dynamic_params(values.begin(), values.end()))));
    });
}

Result<void> Connection::exec_script(std::string_view sql) {
    TRY(exec(sql));
    return {};
}

void Connection::cancel() {
    try {
        impl_->connection.cancel_query();
    } catch (const std::exception&) {
        // The server is away, and the statement with it.
    }
}

bool Connection::usable() const {
    return !impl_->lost && impl_->connection.is_open();
}

int Connection::backend_pid() const {
    return impl_->connection.backendpid();
}

const std::string& Connection::server_life() const {
    return impl_->server_life;
}

Result<Transaction> Transaction::begin(Connection& connection, Mode mode) {
    ENSURE(!connection.in_transaction_, "one transaction at a time on a connection");
    TRY(connection.exec(mode == Mode::read_only ? "BEGIN READ ONLY" : "BEGIN"));
    connection.in_transaction_ = true;
    return Transaction(connection);
}

Transaction::Transaction(Transaction&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)) {}

Transaction::~Transaction() {
    rollback();
}

Result<Rows> Transaction::exec(std::string_view sql, const Params& params) {
    ENSURE(connection_ != nullptr, "the transaction is open");
    return connection_->exec(sql, params);
}

Result<std::string> Transaction::xid() {
    const auto rows = TRY(exec("SELECT pg_current_xact_id()::text"));
    return rows.front().get<std::string>(0);
}

const std::string& Transaction::server_life() const {
    ENSURE(connection_ != nullptr, "the transaction is open");
    return connection_->server_life();
}

Result<void> Transaction::commit() {
    ENSURE(connection_ != nullptr, "the transaction is open");
    auto* connection = std::exchange(connection_, nullptr);
    connection->in_transaction_ = false;
    const bool was_usable = connection->usable();
    auto committed = connection->exec("COMMIT");
    if (committed) {
        return {};
    }
    if (was_usable && !connection->usable()) {
        return fail(Code::unknown, "the connection was lost while committing", "COMMIT_UNKNOWN");
    }
    return std::unexpected(std::move(committed).error());
}

void Transaction::rollback() {
    if (auto* connection = std::exchange(connection_, nullptr)) {
        connection->in_transaction_ = false;
        if (connection->usable() && !connection->exec("ROLLBACK")) {
            // A session whose transaction cannot be ended is of no further use.
            connection->impl_->lost = true;
        }
    }
}

Result<void> Transaction::savepoint() {
    TRY(exec("SAVEPOINT nested"));
    return {};
}

Result<void> Transaction::release_savepoint() {
    TRY(exec("RELEASE SAVEPOINT nested"));
    return {};
}

Result<void> Transaction::rollback_to_savepoint() {
    TRY(exec("ROLLBACK TO SAVEPOINT nested; RELEASE SAVEPOINT nested"));
    return {};
}

Result<CommitStatus> commit_status(Connection& connection, const std::string& xid,
                                   std::string_view server_life) {
    auto rows = connection.exec("SELECT pg_xact_status($1::xid8)", {xid});
    if (!rows) {
        if (rows.error().code != Code::invalid_argument) {
            return std::unexpected(std::move(rows).error());
        }
        return CommitStatus::aborted;  // "in the future": the server never wrote that id.
    }
    const auto status = rows->front().get<std::optional<std::string>>(0);
    if (status == "aborted") {
        return CommitStatus::aborted;
    }
    if (connection.server_life() != server_life) {
        return CommitStatus::unknown;
    }
    if (status == "committed") {
        return CommitStatus::committed;
    }
    return status == "in progress" ? CommitStatus::in_progress : CommitStatus::unknown;
}

}  // namespace gantry::postgres
