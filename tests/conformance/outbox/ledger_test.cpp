// The ledger's days come, go and are missing, while applications write.
#include "acceptance.hpp"

#include <algorithm>

namespace gantry::relay {
namespace {

using testing::Bench;
using testing::Load;

class Ledger : public InBothModes {
protected:
    /// A day's partition of the ledger, in the past; its name.
    std::string make_day(int days_ago) {
        auto& database = bench_.database();
        database.exec(
            "SELECT gantry.make_partition(table_name, key_column, key_kind, fill_factor, "
            "(now() AT TIME ZONE 'UTC')::date - $1::int) FROM gantry.partition_policy "
            "WHERE table_name = 'outbox_message'",
            {days_ago});
        return database
            .exec("SELECT child FROM gantry.partition_days('outbox_message') ORDER BY day")
            .front()
            .get<std::string>(0);
    }

    /// Events of that day, committed now.
    void publish_of(int days_ago, const std::string& key, int count) {
        bench_.database().exec(
            "INSERT INTO gantry.outbox_message (created_at, topic, key, type, payload) "
            "SELECT clock_timestamp() - make_interval(days => $1), $2, $3, 't', "
            "($3 || ':' || i)::bytea FROM generate_series(1, $4::int) i",
            {days_ago, bench_.events(), key, count});
    }

    bool has(const std::string& table) {
        return bench_.number("SELECT count(*) FROM pg_class WHERE relname = '" + table + "'") == 1;
    }
};

INSTANTIATE_TEST_SUITE_P(Modes, Ledger, both_modes(), mode_name);

TEST_P(Ledger, TakesAPartitionThatIsAttachedAndOneThatIsDroppedInMidStream) {
    const auto relay = bench_.relay();
    ASSERT_TRUE(reads(*relay)) << relay->log();
    Load load(bench_.database().url(), bench_.events());
    ASSERT_TRUE(bench_.arrive(100)) << relay->log();
    ASSERT_TRUE(bench_.database().connect()->exec_script(
        "CREATE TABLE gantry.attached (LIKE gantry.outbox_message INCLUDING DEFAULTS);"
        "ALTER TABLE gantry.outbox_message ATTACH PARTITION gantry.attached"
        " FOR VALUES FROM ('2019-01-01') TO ('2019-01-02');"
        "INSERT INTO gantry.outbox_message (created_at, topic, key, type, payload)"
        " SELECT '2019-01-01 12:00Z', '" +
        bench_.events() + "', 'old', 't', ('old:' || i)::bytea FROM generate_series(1, 50) i"));
    ASSERT_TRUE(Bench::eventually([&] {
        const auto got = bench_.read(bench_.events(), load.committed() + 50);
        return std::ranges::count_if(got, [](const auto& one) { return one.key == "old"; }) == 50;
    })) << relay->log();
    ASSERT_TRUE(Bench::eventually([&] {
        return bench_.number("SELECT gantry.drop_partition('outbox_message', 'attached')::int") ==
               1;
    })) << relay->log();
    EXPECT_FALSE(has("attached"));
    ASSERT_TRUE(bench_.arrive(load.committed() + 50 + 100)) << relay->log();
    EXPECT_EQ(load.refused(), "");
    expect_exactly(load.stop() + 50, *relay);
}

TEST_P(Ledger, LosesAPublishedDayAndNothingThatWaits) {
    const auto day = make_day(10);
    publish_of(10, "old", 2'000);
    const auto relay =
        bench_.relay({"--relay.maintenance_interval=1s", "--relay.keep_published=1d"});
    Load load(bench_.database().url(), bench_.events());
    ASSERT_TRUE(Bench::eventually([&] { return !has(day); })) << relay->log();
    // The day is gone a moment before the relay says so.
    EXPECT_TRUE(Bench::eventually([&] { return relay->logged("dropped published days"); }))
        << relay->log();
    // A late row of a day that is gone has a place all the same.
    publish_of(10, "late", 10);
    ASSERT_TRUE(bench_.arrive(2'010)) << relay->log();
    EXPECT_EQ(load.refused(), "");
    expect_exactly(load.stop() + 2'010, *relay);
}

TEST_P(Ledger, IsPublishedUnderItsRootWithInsertsOnly) {
    const auto publication = bench_.database().exec(
        "SELECT pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot FROM pg_publication "
        "WHERE pubname = 'gantry_outbox'");
    ASSERT_EQ(publication.size(), 1U);
    EXPECT_TRUE(publication[0].get<bool>(0));
    EXPECT_FALSE(publication[0].get<bool>(1));
    EXPECT_FALSE(publication[0].get<bool>(2));
    EXPECT_FALSE(publication[0].get<bool>(3));
    EXPECT_TRUE(publication[0].get<bool>(4));
    const auto relay = bench_.relay();
    ASSERT_TRUE(reads(*relay)) << relay->log();
    // Into DEFAULT, into a day, and into a day past the root.
    publish_of(4'000, "default", 10);
    const auto day = make_day(20);
    publish_of(20, "day", 10);
    bench_.database().exec(
        "INSERT INTO gantry." + day +
            " (id, xid, created_at, topic, key, type, payload, headers, source, content_type) "
            "SELECT nextval(pg_get_serial_sequence('gantry.outbox_message', 'id')), "
            "pg_current_xact_id(), clock_timestamp() - interval '20 days', $1, 'direct', 't', "
            "('direct:' || i)::bytea, '{}', '/gantry', 'text/plain' FROM generate_series(1, 10) i",
        {bench_.events()});
    expect_exactly(30, *relay);
}

}  // namespace
}  // namespace gantry::relay
