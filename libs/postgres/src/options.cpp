#include "gantry/postgres/options.hpp"

namespace gantry::postgres {

void Options::bind(config::Binder& binder) {
    binder
        .add("postgres.url", url,
             "libpq URI of the database, postgresql://user:password@host:port/name")
        .required()
        .secret()
        .reloadable()
        .check([](std::string_view text) -> std::string {
            const bool known = text.empty() || text.starts_with("postgresql://") ||
                               text.starts_with("postgres://");
            return known ? "" : "must be a URI that starts with postgresql://";
        });
    binder.add("postgres.pool_size", pool_size, "most connections of this process's pool")
        .range(1, 1000);
    binder.add("postgres.connect_timeout", connect_timeout, "limit of one attempt to connect")
        .range(1'000, 60'000);
    binder
        .add("postgres.statement_timeout", statement_timeout, "the server ends a longer statement")
        .range(100, 3'600'000);
    binder
        .add("postgres.idle_in_transaction_timeout", idle_in_transaction_timeout,
             "the server ends a session idle for longer in a transaction")
        .range(100, 3'600'000);
}

}  // namespace gantry::postgres
