#pragma once

#include "gantry/testing/test_database.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace gantry::testing {

/// A session that stays open, for what a test does in steps.
class Session {
public:
    explicit Session(const TestDatabase& database) : connection_(database.connect()) {}

    /// Runs a statement; throws on an error.
    postgres::Rows exec(std::string_view sql, const postgres::Params& params = {}) {
        auto rows = connection_->exec(sql, params);
        if (!rows) {
            throw std::runtime_error(rows.error().reason + " " + rows.error().message);
        }
        return *std::move(rows);
    }

    /// The first column of the first row.
    template <class T>
    T value(std::string_view sql, const postgres::Params& params = {}) {
        return exec(sql, params).front().get<T>(0);
    }

    /// Runs a statement that must fail; its error.
    Error error(std::string_view sql, const postgres::Params& params = {}) {
        auto rows = connection_->exec(sql, params);
        EXPECT_FALSE(rows) << sql;
        return rows ? Error{} : std::move(rows).error();
    }

    postgres::Connection& connection() { return *connection_; }

private:
    std::unique_ptr<postgres::Connection> connection_;
};

/// A fixture whose tests share one database, emptied of jobs and events in front of each, in WAL
/// mode: making a database costs more than most of them.
template <class Suite>
class SharedDatabaseTest : public ::testing::Test {
protected:
    static void SetUpTestSuite() { shared() = std::make_unique<TestDatabase>(); }
    static void TearDownTestSuite() { shared().reset(); }

    void SetUp() override {
        for (const auto* table :
             {"job", "job_timer", "job_unique", "outbox_message", "outbox_wakeup"}) {
            session.exec(std::string("DELETE FROM gantry.") + table);
        }
        session.exec("UPDATE gantry.setting SET value = 'wal' WHERE name LIKE 'outbox.%'");
    }

    std::int64_t count(const std::string& table) {
        return session.value<std::int64_t>("SELECT count(*) FROM gantry." + table);
    }

    TestDatabase& database = *shared();
    Session session{database};

private:
    static std::unique_ptr<TestDatabase>& shared() {
        static std::unique_ptr<TestDatabase> database;
        return database;
    }
};

/// A logical replication slot that is gone at the end of the test.
class Slot {
public:
    Slot(Session& session, const TestDatabase& database, const char* plugin)
        : name("slot_of_" + database.name()), session_(session) {
        session_.exec("SELECT pg_create_logical_replication_slot($1, $2)", {name, plugin});
    }
    ~Slot() { static_cast<void>(session_.exec("SELECT pg_drop_replication_slot($1)", {name})); }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

    const std::string name;

private:
    Session& session_;
};

}  // namespace gantry::testing
