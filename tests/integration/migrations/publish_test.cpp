#include "support.hpp"

namespace gantry::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Publish : public SharedDatabaseTest<Publish> {};

TEST_F(Publish, WritesOneLedgerRow) {
    const auto id = session.value<std::int64_t>(
        "SELECT gantry.publish('gantry.events.orders', 'k', 'orders.made', '\\x000102', "
        "'{\"ce_id\": \"7\"}', subject => 's', content_type => 'text/plain', source => '/me')");
    const auto row = session.exec(
        "SELECT id, topic, key, type, payload, headers->>'ce_id', subject, content_type, source, "
        "trace, pg_xact_status(xid) FROM gantry.outbox_message");
    ASSERT_EQ(row.size(), 1U);
    EXPECT_EQ(row[0].get<std::int64_t>(0), id);
    EXPECT_EQ(row[0].get<std::string>(1), "gantry.events.orders");
    EXPECT_EQ(row[0].get<std::string>(2), "k");
    EXPECT_EQ(row[0].get<std::string>(3), "orders.made");
    EXPECT_EQ(row[0].bytes(4), std::string("\0\1\2", 3));
    EXPECT_EQ(row[0].get<std::string>(5), "7");
    EXPECT_EQ(row[0].get<std::string>(6), "s");
    EXPECT_EQ(row[0].get<std::string>(7), "text/plain");
    EXPECT_EQ(row[0].get<std::string>(8), "/me");
    EXPECT_TRUE(row[0].is_null(9));
    EXPECT_EQ(row[0].get<std::string>(10), "committed");
}

TEST_F(Publish, RollbackLeavesNothing) {
    session.exec("BEGIN");
    session.exec("SELECT gantry.publish('t', NULL, 'a', '')");
    session.exec("ROLLBACK");
    EXPECT_EQ(count("outbox_message"), 0);
}

TEST_F(Publish, TakesATombstoneAndNoKey) {
    session.exec("SELECT gantry.publish('t', NULL, 'a', NULL)");
    EXPECT_TRUE(
        session.value<bool>("SELECT payload IS NULL AND key IS NULL FROM gantry.outbox_message"));
}

TEST_F(Publish, StoredSnapshotTellsWhatCommittedSince) {
    // Lower id, later commit: what a plain "id > last" loses.
    Session other(database);
    session.exec("BEGIN");
    session.exec("SELECT gantry.publish('t', NULL, 'early', '')");
    other.exec("SELECT gantry.publish('t', NULL, 'late', '')");
    const auto snapshot = other.value<std::string>("SELECT pg_current_snapshot()::text");
    session.exec("COMMIT");
    const auto rows = other.exec(
        "SELECT type FROM gantry.outbox_message WHERE NOT pg_visible_in_snapshot(xid, $1)",
        {snapshot});
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows.front().get<std::string>(0), "early");
}

struct Refusal {
    const char* arguments;
    const char* says;
};

constexpr Refusal kRefusals[] = {
    Refusal{"'a b', NULL, 'a', ''", "topic must be 1 to 249"},
    Refusal{"'', NULL, 'a', ''", "topic must be 1 to 249"},
    Refusal{"'..', NULL, 'a', ''", "topic must be 1 to 249"},
    Refusal{"NULL, NULL, 'a', ''", "topic must be 1 to 249"},
    Refusal{"repeat('t', 250), NULL, 'a', ''", "topic must be 1 to 249"},
    Refusal{"'t', repeat('k', 1025), 'a', ''", "key must be at most 1024 bytes"},
    Refusal{"'t', NULL, '', ''", "type must be 1 to 255"},
    Refusal{"'t', NULL, NULL, ''", "type must be 1 to 255"},
    Refusal{"'t', NULL, 'a', convert_to(repeat('x', 1048577), 'UTF8')", "1 MiB"},
    Refusal{"'t', NULL, 'a', '', '[]'", "headers must be a JSON object"},
    Refusal{"'t', NULL, 'a', '', NULL", "headers must be a JSON object"},
    Refusal{"'t', NULL, 'a', '', '{\"x\": 1}'", "headers values must be strings"},
    Refusal{"'t', NULL, 'a', '', '{\"x y\": \"1\"}'", "headers names must be"},
    Refusal{"'t', NULL, 'a', '', '{\"CE_Type\": \"1\"}'", "headers must not set"},
    Refusal{"'t', NULL, 'a', '', jsonb_build_object('x', repeat('y', 33000))", "32 KiB"},
    Refusal{"'t', NULL, 'a', '', subject => ''", "subject must be"},
    Refusal{"'t', NULL, 'a', '', content_type => NULL", "content_type must be"},
    Refusal{"'t', NULL, 'a', '', source => 'a b'", "source must be"}};

TEST_F(Publish, RefusesNamingTheParameterAndWhatIsAllowed) {
    for (const auto& refusal : kRefusals) {
        SCOPED_TRACE(refusal.arguments);
        const auto error =
            session.error("SELECT gantry.publish(" + std::string(refusal.arguments) + ")");
        EXPECT_EQ(error.code, Code::invalid_argument);
        EXPECT_EQ(error.reason, "22023");
        EXPECT_THAT(error.message, StartsWith("gantry.publish: "));
        EXPECT_THAT(error.message, HasSubstr(refusal.says));
    }
    EXPECT_EQ(count("outbox_message"), 0);
}

}  // namespace
}  // namespace gantry::testing
