#include "session.hpp"

#include "gantry/base/backoff.hpp"
#include "gantry/base/clock.hpp"
#include "gantry/base/units.hpp"

#include <algorithm>
#include <stop_token>

namespace gantry::migrate {
namespace {

constexpr int kOldestServer = 150'000;

Result<std::unique_ptr<postgres::Connection>> connect_once(const Options& options) {
    postgres::Options session;
    session.url = options.database_url;
    session.application_name = "gantry-migrate";
    // A migration may rewrite a table; its own lock_timeout bounds what others wait for it.
    session.statement_timeout = std::chrono::hours{1};
    session.idle_in_transaction_timeout = std::chrono::minutes{5};
    return postgres::Connection::open(session);
}

Result<void> check_server(postgres::Connection& session, std::ostream& warnings) {
    const auto rows =
        TRY(session.exec("SELECT current_setting('server_version_num')::int, "
                         "current_setting('server_encoding'), current_setting('fsync')::bool, "
                         "current_setting('server_version')"));
    const auto server = rows.front();
    if (server.get<int>(0) < kOldestServer) {
        return fail(Code::failed_precondition, "the server is PostgreSQL " +
                                                   server.get<std::string>(3) +
                                                   "; Gantry needs 15 or newer");
    }
    if (server.get<std::string>(1) != "UTF8") {
        return fail(Code::failed_precondition,
                    "the database's encoding is " + server.get<std::string>(1) +
                        "; Gantry needs UTF8: CREATE DATABASE … ENCODING 'UTF8'");
    }
    if (!server.get<bool>(2)) {
        warnings << "warning: the server runs with fsync=off: a crash of its machine loses work "
                    "that was acknowledged\n";
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<postgres::Connection>> connect(const Options& options,
                                                      std::ostream& warnings) {
    const auto deadline = Deadline::after(options.wait);
    Backoff backoff({.base = milliseconds{200}, .cap = milliseconds{3'000}});
    while (true) {
        auto session = connect_once(options);
        if (session) {
            TRY(check_server(**session, warnings));
            return session;
        }
        if (session.error().code != Code::unavailable) {
            return session;
        }
        if (deadline.expired()) {
            return std::unexpected(
                std::move(session.error())
                    .with_context("gave up after " + format_duration(options.wait)));
        }
        if (backoff.failures() == 0) {
            warnings << "waiting for the database\n";
        }
        const auto pause = std::min(backoff.next(), deadline.remaining());
        system_clock().sleep_for(pause, std::stop_token{});
    }
}

Result<void> lock_database(postgres::Connection& session, Deadline deadline) {
    while (true) {
        const auto rows =
            TRY(session.exec("SELECT pg_try_advisory_lock(hashtextextended('gantry-migrate', 0))"));
        if (rows.front().get<bool>(0)) {
            return {};
        }
        if (deadline.expired()) {
            return fail(Code::deadline_exceeded,
                        "another gantry-migrate has been changing this database all the time");
        }
        system_clock().sleep_for(milliseconds{100}, std::stop_token{});
    }
}

}  // namespace gantry::migrate
