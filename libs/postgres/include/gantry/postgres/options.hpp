#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/config/binder.hpp"

#include <functional>
#include <map>
#include <string>

namespace gantry::postgres {

/// How a process reaches PostgreSQL, bound under `postgres.`.
struct Options {
    std::string url;                         ///< A libpq URI. Secret.
    int pool_size = 4;                       ///< Most connections of the pool.
    milliseconds connect_timeout{5'000};     ///< For one attempt to connect; whole seconds count.
    milliseconds statement_timeout{30'000};  ///< The server ends a longer statement.
    milliseconds idle_in_transaction_timeout{30'000};  ///< The server ends a session idle for
                                                       ///< longer in a transaction.
    /// Shown in `pg_stat_activity`. Not a setting: the service's name.
    std::string application_name = "gantry";
    /// Further session settings, name to value. Not a setting: each part of a service knows its
    /// own.
    std::map<std::string, std::string> session;
    /// Gives the URL for each new connection instead of `url`, so that a reload rotates it.
    /// Thread-safe. Not a setting: the process's composition knows where its options live.
    std::function<std::string()> url_now = {};

    /// The URL that a connection opened now takes.
    [[nodiscard]] std::string current_url() const { return url_now ? url_now() : url; }

    void bind(config::Binder& binder);
};

}  // namespace gantry::postgres
