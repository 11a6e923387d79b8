#pragma once

#include "desk.hpp"
#include "gantry/postgres/connection.hpp"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace gantry::relay {

/// A database session for statements that may take longer than the lease: they sort a backlog of
/// millions, or wait for a lock. They run on a thread of the session's own; the caller renews the
/// lease meanwhile. Used by the relay's loop only.
class ReadingSession {
public:
    /// `settings` come on top of the session's own.
    static Result<std::unique_ptr<ReadingSession>> open(
        Desk& desk, const std::map<std::string, std::string>& settings);
    ~ReadingSession();
    ReadingSession(const ReadingSession&) = delete;
    ReadingSession& operator=(const ReadingSession&) = delete;

    /// Runs one statement, or several without parameters, to its end. When the lease is lost or the
    /// relay stops, the server is told to break it off, and the error says why.
    Result<postgres::Rows> exec(std::string_view sql, const postgres::Params& params = {});

private:
    struct Statement {
        std::string_view sql;
        const postgres::Params& params;
        std::optional<Result<postgres::Rows>> outcome;
    };

    ReadingSession(Desk& desk, std::unique_ptr<postgres::Connection> connection);
    void serve(const std::stop_token& stop);
    [[nodiscard]] bool finished(const Statement& statement);
    /// Waits for the statement, and keeps the lease.
    Result<void> await(const Statement& statement);
    void break_off(const Statement& statement);

    Desk& desk_;
    std::unique_ptr<postgres::Connection> connection_;
    WakeFd done_;
    // Guarded by mutex_.
    std::mutex mutex_;
    std::condition_variable_any given_;
    Statement* statement_ = nullptr;
    // Last: it uses the rest.
    std::jthread thread_;
};

}  // namespace gantry::relay
