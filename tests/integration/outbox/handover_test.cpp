#include "bench.hpp"

#include <gmock/gmock.h>

namespace gantry::relay {
namespace {

using testing::Bench;
using testing::judge;
using testing::Load;
using testing::Mode;

TEST(Handover, ChangesTheModeUnderLoadInBothDirections) {
    Bench bench(Mode::polling);
    auto relay = bench.relay();
    Load load(bench.database().url(), bench.events());
    ASSERT_TRUE(bench.arrive(200));
    std::size_t jobs = 0;
    for (const auto* mode : {"wal", "polling", "wal"}) {
        for (int i = 0; i < 20; ++i, ++jobs) {
            bench.database().exec("SELECT gantry.enqueue('default', 'gantry.noop')");
        }
        ASSERT_EQ(
            gantry::testing::run_migrate(bench.database().url(), std::string("set-mode ") + mode),
            0);
        ASSERT_TRUE(Bench::eventually([&] {
            return bench.number(
                       "SELECT count(*) FROM gantry.outbox_handover "
                       "WHERE finished_at IS NULL") == 0;
        })) << relay->log();
        EXPECT_EQ(bench.database()
                      .exec("SELECT string_agg(DISTINCT value, ',') FROM gantry.setting "
                            "WHERE name IN ('outbox.mode', 'outbox.reader')")
                      .front()
                      .get<std::string>(0),
                  mode);
        bench.database().exec("SELECT gantry.enqueue('default', 'gantry.noop')");
        ++jobs;
        ASSERT_GE(bench.read(bench.prefix() + ".jobs.default", jobs).size(), jobs) << relay->log();
    }
    const auto committed = load.stop();
    const auto verdict = judge(bench.read(bench.events(), committed));
    EXPECT_EQ(verdict.different, committed) << relay->log();
    EXPECT_EQ(verdict.disorder, "");
    RecordProperty("duplicates", static_cast<int>(verdict.duplicates));
    EXPECT_EQ(relay->stop(), 0);
}

TEST(SlotLoss, PublishesWhatTheCheckpointDoesNotHold) {
    Bench bench(Mode::wal);
    auto relay = bench.relay();
    Load load(bench.database().url(), bench.events());
    ASSERT_TRUE(bench.arrive(500));
    // A checkpoint is proven about once a second.
    ASSERT_TRUE(Bench::eventually([&] {
        return bench.number("SELECT heartbeat_id FROM gantry.outbox_checkpoint") > 2;
    })) << relay->log();
    relay->kill();
    ASSERT_TRUE(Bench::eventually([&] {
        return bench.number(
                   "SELECT count(*) FROM pg_replication_slots WHERE active "
                   "AND slot_name = gantry.outbox_slot()") == 0;
    }));
    bench.database().exec("SELECT gantry.enqueue('default', 'gantry.noop')");
    bench.database().exec("SELECT pg_drop_replication_slot(gantry.outbox_slot())");
    bench.database().exec("SELECT gantry.enqueue('default', 'gantry.noop')");
    relay = bench.relay();
    ASSERT_TRUE(Bench::eventually([&] { return relay->logged("streaming from the slot"); }))
        << relay->log();
    bench.database().exec("SELECT gantry.enqueue('default', 'gantry.noop')");
    EXPECT_EQ(bench.read(bench.prefix() + ".jobs.default", 3).size(), 3U) << relay->log();
    const auto committed = load.stop();
    const auto verdict = judge(bench.read(bench.events(), committed));
    EXPECT_EQ(verdict.different, committed) << relay->log();
    EXPECT_EQ(verdict.disorder, "");
    RecordProperty("duplicates", static_cast<int>(verdict.duplicates));
}

TEST(SlotLoss, IsNoticedWhenTheSlotIsAheadOfTheCheckpoint) {
    Bench bench(Mode::wal);
    auto relay = bench.relay();
    bench.publish("k", "k:0");
    ASSERT_TRUE(bench.arrive(1)) << relay->log();
    ASSERT_EQ(relay->stop(), 0);
    bench.publish("k", "k:1");
    bench.database().exec(
        "SELECT pg_replication_slot_advance(gantry.outbox_slot(), pg_current_wal_lsn())");
    bench.publish("k", "k:2");
    relay = bench.relay();
    const auto verdict = judge(bench.read(bench.events(), 3));
    EXPECT_EQ(verdict.different, 3U) << relay->log();
    EXPECT_EQ(verdict.disorder, "");
}

TEST(IdleSlot, MovesOnWithForeignTraffic) {
    Bench bench(Mode::wal);
    const auto relay = bench.relay();
    bench.publish("k", "k:0");
    ASSERT_TRUE(bench.arrive(1)) << relay->log();
    bench.database().exec(
        "CREATE TABLE foreign_traffic AS SELECT i, repeat('x', 500) AS text "
        "FROM generate_series(1, 100000) i");
    EXPECT_TRUE(Bench::eventually([&] {
        return bench.number(
                   "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint "
                   "FROM pg_replication_slots WHERE slot_name = gantry.outbox_slot()") < 16 << 20;
    })) << relay->log();
}

}  // namespace
}  // namespace gantry::relay
