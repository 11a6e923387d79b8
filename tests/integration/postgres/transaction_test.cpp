#include "gantry/postgres/connection.hpp"

#include "gantry/testing/test_database.hpp"

#include <gtest/gtest.h>
#include <thread>

namespace gantry::postgres {
namespace {

using namespace std::chrono_literals;
using testing::TestDatabase;

class TransactionTest : public ::testing::Test {
protected:
    TestDatabase database_{TestDatabase::Content::empty};
    std::unique_ptr<Connection> connection_ = database_.connect();
};

TEST_F(TransactionTest, EveryTypeGoesThereAndBack) {
    const auto id = Uuid::v7();
    const Instant at{1'767'225'600'123'456us};
    const std::string bytes("\x00\x0B\x1C\xFF", 4);
    const auto rows = connection_->exec(
        "SELECT $1::uuid, $2::timestamptz, $3::bytea, $4::int8, $5::bool, $6::text, $7::text[], "
        "$8::float8, "
        "extract(epoch FROM $9::interval)::int",
        {id, at, Bytes{bytes}, std::int64_t{1} << 40, true, nullptr,
         array(std::vector<std::string>{"a,b", "\"c\\"}), 0.25, 90s});
    ASSERT_TRUE(rows) << rows.error().message;
    const auto row = rows->front();
    EXPECT_EQ(row.get<Uuid>(0), id);
    EXPECT_EQ(row.get<Instant>(1), at);
    EXPECT_EQ(row.bytes(2), bytes);
    EXPECT_EQ(row.get<std::int64_t>(3), std::int64_t{1} << 40);
    EXPECT_TRUE(row.get<bool>(4));
    EXPECT_EQ(row.get<std::optional<std::string>>(5), std::nullopt);
    EXPECT_EQ(row.text(6), R"({"a,b","\"c\\"})");
    EXPECT_EQ(row.get<double>(7), 0.25);
    EXPECT_EQ(row.get<int>(8), 90);
    EXPECT_THROW(static_cast<void>(row.get<int>("no_such_column")), std::logic_error);
    EXPECT_THROW(static_cast<void>(row.get<std::string>(5)), std::logic_error);
}

TEST_F(TransactionTest, NestedErrorUndoesItsOwnChangesOnly) {
    ASSERT_TRUE(connection_->exec("CREATE TABLE t (n int PRIMARY KEY)"));
    auto tx = Transaction::begin(*connection_).value();
    ASSERT_TRUE(tx.exec("INSERT INTO t VALUES (1)"));
    const auto refused = tx.nested([&] { return tx.exec("INSERT INTO t VALUES (2), (1)"); });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::already_exists);
    ASSERT_TRUE(tx.nested([&] { return tx.exec("INSERT INTO t VALUES (3)"); }));
    ASSERT_TRUE(tx.commit());
    const auto rows = connection_->exec("SELECT n FROM t ORDER BY n");
    ASSERT_EQ(rows->size(), 2U);
    EXPECT_EQ((*rows)[1].get<int>(0), 3);
}

TEST_F(TransactionTest, RollsBackWhenItIsDropped) {
    ASSERT_TRUE(connection_->exec("CREATE TABLE t (n int)"));
    {
        auto tx = Transaction::begin(*connection_).value();
        ASSERT_TRUE(tx.exec("INSERT INTO t VALUES (1)"));
    }
    EXPECT_EQ(connection_->exec("SELECT 1 FROM t")->size(), 0U);
    EXPECT_FALSE(connection_->in_transaction());
}

TEST_F(TransactionTest, ConnectionLostAtCommitIsUnknownAndCanBeAskedAfter) {
    ASSERT_TRUE(connection_->exec("CREATE TABLE t (n int)"));
    auto tx = Transaction::begin(*connection_).value();
    ASSERT_TRUE(tx.exec("INSERT INTO t VALUES (1)"));
    const auto xid = tx.xid();
    ASSERT_TRUE(xid);
    const auto life = tx.server_life();
    database_.kill_sessions();
    const auto lost = tx.commit();
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().reason, "COMMIT_UNKNOWN");
    const auto fresh = database_.connect();
    EXPECT_EQ(commit_status(*fresh, *xid, life).value(), CommitStatus::aborted);
}

TEST_F(TransactionTest, BelievesACommitOnlyWithinOneLifeOfTheServer) {
    auto tx = Transaction::begin(*connection_).value();
    const auto xid = tx.xid().value();
    const auto life = tx.server_life();
    EXPECT_EQ(commit_status(*database_.connect(), xid, life).value(), CommitStatus::in_progress);
    ASSERT_TRUE(tx.commit());
    const auto fresh = database_.connect();
    EXPECT_EQ(commit_status(*fresh, xid, life).value(), CommitStatus::committed);
    // After a crash the id may have been given out again.
    EXPECT_EQ(commit_status(*fresh, xid, "2001-01-01 00:00:00+00").value(), CommitStatus::unknown);
}

TEST_F(TransactionTest, AnIdThatTheServerNeverWroteRolledBack) {
    const auto xid = std::to_string((std::uint64_t{1} << 40U) + 1000);
    EXPECT_EQ(commit_status(*connection_, xid, connection_->server_life()).value(),
              CommitStatus::aborted);
}

TEST_F(TransactionTest, ErrorsNeverRepeatValues) {
    ASSERT_TRUE(connection_->exec("CREATE TABLE t (name text PRIMARY KEY)"));
    ASSERT_TRUE(connection_->exec("INSERT INTO t VALUES ($1)", {"Jane Doe"}));
    const auto twice = connection_->exec("INSERT INTO t VALUES ($1)", {"Jane Doe"});
    const auto wrong = connection_->exec("SELECT $1::text::int", {"Jane Doe"});
    ASSERT_FALSE(twice);
    ASSERT_FALSE(wrong);
    EXPECT_EQ(twice.error().message.find("Jane"), std::string::npos);
    EXPECT_EQ(wrong.error().message.find("Jane"), std::string::npos);
}

TEST_F(TransactionTest, RefusesNulInTextBeforeTheServerSeesIt) {
    const auto refused = connection_->exec("SELECT $1::text", {std::string("a\0b", 3)});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::invalid_argument);
    EXPECT_TRUE(connection_->usable());
}

TEST_F(TransactionTest, StatementTimeoutEndsALongStatement) {
    auto options = database_.options();
    options.statement_timeout = 100ms;
    const auto connection = Connection::open(options).value();
    const auto ended = connection->exec("SELECT pg_sleep(10)");
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, Code::deadline_exceeded);
    EXPECT_TRUE(connection->usable());
}

TEST_F(TransactionTest, CancelEndsAStatementFromAnotherThread) {
    const auto connection = Connection::open(database_.options()).value();
    connection->cancel();  // between statements it does nothing
    std::jthread other([&] {
        while (database_
                   .exec("SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'",
                         {connection->backend_pid()})
                   .empty()) {
        }
        connection->cancel();
    });
    const auto ended = connection->exec("SELECT pg_sleep(10)");
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().reason, "57014");
    EXPECT_EQ(connection->exec("SELECT 7").value().front().get<int>(0), 7);
}

}  // namespace
}  // namespace gantry::postgres
