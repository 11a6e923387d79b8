#pragma once

#include "gantry/postgres/pool.hpp"

#include <memory>
#include <string>

namespace gantry::testing {

/// A fresh database of its own for one test, with the whole schema, on the server of
/// GANTRY_TEST_DATABASE_URL. Dropped, with its replication slots, at the end.
///
/// The schema is made once a server by `gantry-migrate up` into a template database, from which
/// each test database is copied. Throws `std::runtime_error` if the variable is missing or the
/// server does not answer.
class TestDatabase {
public:
    enum class Content { migrated, empty };

    explicit TestDatabase(Content content = Content::migrated);
    ~TestDatabase();
    TestDatabase(const TestDatabase&) = delete;
    TestDatabase& operator=(const TestDatabase&) = delete;

    /// The database's URI.
    [[nodiscard]] const std::string& url() const { return url_; }
    [[nodiscard]] const std::string& name() const { return name_; }

    /// Options for a pool on it, with small limits that suit tests.
    [[nodiscard]] postgres::Options options() const;

    /// A connection on it.
    [[nodiscard]] std::unique_ptr<postgres::Connection> connect() const;

    /// Runs one statement and gives its rows; throws on an error.
    postgres::Rows exec(std::string_view sql, const postgres::Params& params = {}) const;

    /// Ends every other session of this database, as a server restart would.
    void kill_sessions() const;

private:
    std::string name_;
    std::string url_;
};

/// Runs `gantry-migrate` with `arguments` against `url`; its exit code.
int run_migrate(const std::string& url, const std::string& arguments);

}  // namespace gantry::testing
