#include "support.hpp"

#include "gantry/base/uuid.hpp"

namespace gantry::testing {
namespace {

class Partitions : public ::testing::Test {
protected:
    /// Removes every day's partition of a table; DEFAULT stays.
    void drop_days(const std::string& table) {
        for (const auto row :
             session.exec("SELECT child FROM gantry.partition_days($1)", {table})) {
            session.exec("DROP TABLE gantry." + row.get<std::string>(0));
        }
    }

    std::int64_t in_table(const std::string& table) {
        return session.value<std::int64_t>("SELECT count(*) FROM ONLY gantry." + table);
    }

    TestDatabase database;
    Session session{database};
};

TEST_F(Partitions, ExistAWeekAheadForEveryTable) {
    for (const auto row : session.exec("SELECT table_name FROM gantry.partition_policy")) {
        const auto table = row.get<std::string>(0);
        EXPECT_EQ(
            session.value<std::int64_t>(
                "SELECT count(*) FROM gantry.partition_days($1) WHERE day BETWEEN "
                "(now() AT TIME ZONE 'UTC')::date - 1 AND (now() AT TIME ZONE 'UTC')::date + 7",
                {table}),
            9)
            << table;
    }
}

TEST_F(Partitions, MaintenanceIsIdempotent) {
    EXPECT_EQ(session.value<std::int64_t>("SELECT sum(created) FROM gantry.maintain_partitions()"),
              0);
    EXPECT_GT(
        session.value<std::int64_t>("SELECT sum(created) FROM gantry.maintain_partitions(10)"), 0);
    EXPECT_EQ(
        session.value<std::int64_t>("SELECT sum(created) FROM gantry.maintain_partitions(10)"), 0);
    EXPECT_EQ(session.error("SELECT * FROM gantry.maintain_partitions(0)").reason, "22023");
}

TEST_F(Partitions, MissingOnesNeverFailAnApplication) {
    for (const auto row : session.exec("SELECT table_name FROM gantry.partition_policy")) {
        drop_days(row.get<std::string>(0));
    }
    session.exec("UPDATE gantry.setting SET value = 'both' WHERE name = 'outbox.mode'");
    const auto job = session.value<Uuid>("SELECT gantry.enqueue('default', 'a', 'x')");
    session.exec("SELECT gantry.publish('t', NULL, 'a', '')");
    EXPECT_EQ(in_table("job_default"), 1);
    EXPECT_EQ(in_table("outbox_message_default"), 1);
    EXPECT_EQ(in_table("outbox_wakeup_default"), 1);
    // A finish works there as anywhere.
    EXPECT_EQ(session
                  .exec("UPDATE gantry.job SET state = 'succeeded', dispatch = dispatch + 1 "
                        "WHERE id = $1 AND dispatch = 1",
                        {job})
                  .affected(),
              1U);
}

TEST_F(Partitions, RowsMoveOutOfDefaultUnchanged) {
    drop_days("job");
    drop_days("outbox_message");
    const auto job = session.value<Uuid>("SELECT gantry.enqueue('default', 'a', 'x')");
    session.exec("SELECT gantry.publish('t', 'k', 'a', '')");
    const auto snapshot =
        session.value<std::string>("SELECT string_agg(m::text, ';') FROM gantry.outbox_message m");
    const auto row = session.value<std::string>("SELECT j::text FROM gantry.job j");
    const auto told = session.exec(
        "SELECT table_name, created, in_default "
        "FROM gantry.maintain_partitions()");
    for (const auto line : told) {
        EXPECT_EQ(line.get<std::int64_t>(2), 0) << line.text(0);
    }
    EXPECT_EQ(in_table("job_default"), 0);
    EXPECT_EQ(session.value<std::string>("SELECT j::text FROM gantry.job j"), row);
    EXPECT_EQ(
        session.value<std::string>("SELECT string_agg(m::text, ';') FROM gantry.outbox_message m"),
        snapshot);
    EXPECT_NE(session.value<std::string>("SELECT tableoid::regclass::text FROM gantry.job"),
              "gantry.job_default");
    EXPECT_EQ(session.value<Uuid>("SELECT id FROM gantry.job WHERE id = $1", {job}), job);
}

TEST_F(Partitions, MaintenanceWaitsForNobody) {
    drop_days("outbox_message");
    Session writer(database);
    writer.exec("BEGIN");
    writer.exec("SELECT gantry.publish('t', NULL, 'a', '')");  // holds DEFAULT
    EXPECT_GT(session.value<std::int64_t>("SELECT pending FROM gantry.maintain_partitions() "
                                          "WHERE table_name = 'outbox_message'"),
              0);
    writer.exec("COMMIT");
    EXPECT_EQ(session.value<std::int64_t>("SELECT pending FROM gantry.maintain_partitions() "
                                          "WHERE table_name = 'outbox_message'"),
              0);
    EXPECT_EQ(in_table("outbox_message_default"), 0);
}

TEST_F(Partitions, TwoMaintainersDoNotCollide) {
    Session other(database);
    session.exec("BEGIN");
    session.exec("SELECT * FROM gantry.maintain_partitions(9)");
    EXPECT_TRUE(other.exec("SELECT * FROM gantry.maintain_partitions(9)").empty());
    session.exec("COMMIT");
}

TEST_F(Partitions, IdsOutsideEveryPartitionGoToDefault) {
    session.exec("SELECT gantry.enqueue('default', 'a', id => gantry.uuid_v7('2019-01-01'))");
    EXPECT_EQ(in_table("job_default"), 1);
}

TEST_F(Partitions, NewOnesAreAlreadyPublished) {
    // A slot that is older than the partition streams its rows all the same, under the root's name.
    drop_days("outbox_message");
    const Slot slot(session, database, "pgoutput");
    session.exec("SELECT gantry.publish('t', NULL, 'in.default', '')");
    session.exec("SELECT * FROM gantry.maintain_partitions()");
    session.exec("SELECT gantry.publish('t', NULL, 'in.day', '')");
    // PostgreSQL 15 also describes the partition ('R'), but rows ('I') name the root's oid.
    const auto changes = session.exec(
        "SELECT substring(data FROM 2 FOR 4) = int4send('gantry.outbox_message'::regclass::int) "
        "FROM pg_logical_slot_get_binary_changes($1, NULL, NULL, 'proto_version', '1', "
        "'publication_names', 'gantry_outbox') WHERE get_byte(data, 0) = ascii('I')",
        {slot.name});
    // The move out of DEFAULT is no second event.
    ASSERT_EQ(changes.size(), 2U);
    EXPECT_TRUE(changes[0].get<bool>(0));
    EXPECT_TRUE(changes[1].get<bool>(0));
}

}  // namespace
}  // namespace gantry::testing
