// What the schema promises as a whole: it is documented, and its functions are the only door.
#include "support.hpp"

namespace gantry::testing {
namespace {

using ::testing::IsEmpty;

class Contract : public SharedDatabaseTest<Contract> {
protected:
    std::vector<std::string> names(std::string_view sql) {
        std::vector<std::string> found;
        for (const auto row : session.exec(sql)) {
            found.push_back(row.get<std::string>(0));
        }
        return found;
    }
};

TEST_F(Contract, EveryTableColumnFunctionAndTypeIsDocumented) {
    EXPECT_THAT(names("SELECT c.oid::regclass::text FROM pg_class c "
                      "WHERE c.relnamespace IN ('gantry'::regnamespace, 'orders'::regnamespace) "
                      "AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
                      "AND obj_description(c.oid, 'pg_class') IS NULL"),
                IsEmpty());
    EXPECT_THAT(names("SELECT c.oid::regclass || '.' || a.attname FROM pg_class c "
                      "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
                      "AND NOT a.attisdropped "
                      "WHERE c.relnamespace IN ('gantry'::regnamespace, 'orders'::regnamespace) "
                      "AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
                      "AND c.oid <> 'gantry.job_kept'::regclass "
                      "AND col_description(c.oid, a.attnum) IS NULL"),
                IsEmpty());
    EXPECT_THAT(names("SELECT p.oid::regprocedure::text FROM pg_proc p "
                      "WHERE p.pronamespace IN ('gantry'::regnamespace, 'orders'::regnamespace) "
                      "AND obj_description(p.oid, 'pg_proc') IS NULL"),
                IsEmpty());
}

TEST_F(Contract, NobodyButTheOwnerMayCallByDefault) {
    EXPECT_THAT(names("SELECT p.oid::regprocedure::text FROM pg_proc p "
                      "WHERE p.pronamespace = 'gantry'::regnamespace "
                      "AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a "
                      "WHERE a.grantee = 0))"),
                IsEmpty());
}

TEST_F(Contract, FunctionsThatRunAsTheirOwnerHaveAFixedSearchPath) {
    EXPECT_THAT(names("SELECT p.oid::regprocedure::text FROM pg_proc p "
                      "WHERE p.pronamespace = 'gantry'::regnamespace AND p.prosecdef "
                      "AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), "
                      "false)"),
                IsEmpty());
}

TEST_F(Contract, ProducerCanEnqueueAndPublishAndNothingElse) {
    session.exec("SET ROLE gantry_producer");
    session.exec("SELECT gantry.enqueue('default', 'a', unique_key => 'u')");
    session.exec("SELECT gantry.enqueue('default', 'a', run_at => now() + interval '1 h')");
    session.exec(
        "SELECT * FROM gantry.enqueue_many('[{\"queue\": \"default\", \"type\": \"a\"}]')");
    session.exec("SELECT gantry.publish('t', NULL, 'a', '')");
    EXPECT_EQ(session.error("SELECT * FROM gantry.job").code, Code::permission_denied);
    EXPECT_EQ(session.error("SELECT * FROM gantry.outbox_message").code, Code::permission_denied);
    EXPECT_EQ(session.error("INSERT INTO gantry.queue (name) VALUES ('x')").code,
              Code::permission_denied);
    EXPECT_EQ(
        session.error("SELECT gantry.emit_wakeup('default', gen_random_uuid(), 1, NULL)").code,
        Code::permission_denied);
    EXPECT_EQ(session.error("SELECT gantry.maintain_partitions()").code, Code::permission_denied);
    EXPECT_EQ(session.error("SELECT * FROM orders.orders").code, Code::permission_denied);
    session.exec("RESET ROLE");
    EXPECT_THAT(names("SELECT p.oid::regprocedure::text FROM pg_proc p "
                      "WHERE p.pronamespace = 'gantry'::regnamespace "
                      "AND has_function_privilege('gantry_producer', p.oid, 'EXECUTE') "
                      "AND p.proname NOT IN ('enqueue', 'enqueue_many', 'publish')"),
                IsEmpty());
    EXPECT_THAT(names("SELECT c.oid::regclass::text FROM pg_class c "
                      "WHERE c.relnamespace = 'gantry'::regnamespace AND c.relkind IN ('r', 'p') "
                      "AND has_table_privilege('gantry_producer', c.oid, "
                      "'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')"),
                IsEmpty());
}

TEST_F(Contract, SearchPathOfTheCallerChangesNothing) {
    session.exec("CREATE SCHEMA evil");
    session.exec(
        "CREATE FUNCTION evil.octet_length(bytea) RETURNS int LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'called'; END $$");
    session.exec("SET search_path = evil, pg_catalog");
    session.exec("SELECT gantry.enqueue('default', 'a', 'x')");
}

TEST_F(Contract, JobsAreIndexedByTheirPrimaryKeyAlone) {
    EXPECT_EQ(session.value<std::int64_t>(
                  "SELECT count(*) FROM pg_index i JOIN pg_class c "
                  "ON c.oid = i.indrelid "
                  "WHERE c.oid::regclass::text ~ '^gantry.job(_[0-9]+|_default)?$' "
                  "AND NOT i.indisprimary"),
              0);
    EXPECT_EQ(session.value<std::int64_t>(
                  "SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
                  "WHERE i.inhparent = 'gantry.job'::regclass "
                  "AND NOT coalesce('fillfactor=58' = ANY (c.reloptions), false)"),
              0);
}

TEST_F(Contract, PublicationStreamsInsertsUnderTheRootsName) {
    const auto rows = session.exec(
        "SELECT pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot FROM pg_publication "
        "WHERE pubname = 'gantry_outbox'");
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_TRUE(rows[0].get<bool>(0));
    EXPECT_FALSE(rows[0].get<bool>(1));
    EXPECT_FALSE(rows[0].get<bool>(2));
    EXPECT_FALSE(rows[0].get<bool>(3));
    EXPECT_TRUE(rows[0].get<bool>(4));
    EXPECT_THAT(names("SELECT tablename FROM pg_publication_tables "
                      "WHERE pubname = 'gantry_outbox' ORDER BY 1"),
                ::testing::ElementsAre("outbox_heartbeat", "outbox_message"));
}

TEST_F(Contract, UuidsAreVersionSevenAndCarryTheirTime) {
    EXPECT_TRUE(session.value<bool>(
        "SELECT bool_and(substr(u::text, 15, 1) = '7' AND substr(u::text, 20, 1) IN "
        "('8','9','a','b') "
        "AND abs(extract(epoch FROM gantry.uuid_v7_time(u) - clock_timestamp())) < 5) "
        "FROM (SELECT gantry.uuid_v7() u FROM generate_series(1, 1000)) s"));
    EXPECT_TRUE(session.value<bool>(
        "SELECT gantry.uuid_v7_time(gantry.uuid_v7_floor('2026-03-01T10:00:00.123Z')) = "
        "'2026-03-01T10:00:00.123Z' AND gantry.uuid_v7_floor('2026-03-01T10:00:00.123Z') <= "
        "gantry.uuid_v7('2026-03-01T10:00:00.123Z')"));
}

TEST_F(Contract, NothingNotifies) {
    EXPECT_THAT(names("SELECT p.proname FROM pg_proc p "
                      "WHERE p.pronamespace = 'gantry'::regnamespace "
                      "AND p.proname IN ('enqueue', 'enqueue_many', 'publish', 'emit_wakeup', "
                      "'emit_wakeups') "
                      "AND pg_get_functiondef(p.oid) ~* '\\m(pg_)?notify\\M'"),
                IsEmpty());
}

}  // namespace
}  // namespace gantry::testing
