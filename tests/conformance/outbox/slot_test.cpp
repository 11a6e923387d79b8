// The mode and the replication slot change, go and are made by others.
#include "acceptance.hpp"

#include <csignal>

namespace gantry::relay {
namespace {

using testing::Bench;
using testing::Load;
using testing::Mode;

constexpr int kMiB = 1 << 20;

class Slot : public Acceptance, public ::testing::Test {
protected:
    Slot() : Acceptance(Mode::wal) {}

    bool no_slot_reader() {
        return Bench::eventually([&] {
            return bench_.number(
                       "SELECT count(*) FROM pg_replication_slots WHERE active "
                       "AND slot_name = gantry.outbox_slot()") == 0;
        });
    }

    /// A checkpoint is proven about once a second.
    bool proven() {
        return Bench::eventually(
            [&] { return bench_.number("SELECT heartbeat_id FROM gantry.outbox_checkpoint") > 2; });
    }

    /// Takes the slot away from a relay that reads it.
    void drop_under_the_reader() {
        // Faster than a relay that connects again.
        ASSERT_TRUE(bench_.database().connect()->exec_script(
            "DO $do$ BEGIN FOR attempt IN 1..10000 LOOP BEGIN"
            "  PERFORM pg_terminate_backend(active_pid) FROM pg_replication_slots"
            "    WHERE slot_name = gantry.outbox_slot() AND active_pid IS NOT NULL;"
            "  PERFORM pg_drop_replication_slot(gantry.outbox_slot());"
            "  EXIT;"
            "EXCEPTION WHEN object_in_use THEN NULL; END; END LOOP; END $do$"));
    }

    std::int64_t lag() {
        return bench_.number(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint "
            "FROM pg_replication_slots WHERE slot_name = gantry.outbox_slot()");
    }
};

TEST_F(Slot, MovesOnWithUnmonitoredTraffic) {
    const auto relay = bench_.relay();
    bench_.publish("k", "k:0");
    ASSERT_TRUE(bench_.arrive(1)) << relay->log();
    bench_.database().exec("CREATE TABLE foreign_traffic (text text)");
    const auto before = bench_.number("SELECT pg_current_wal_lsn() - '0/0'");
    const std::int64_t much = (long_form() ? 1024LL : 192LL) * kMiB;
    std::int64_t written = 0;
    while (written < much) {
        bench_.database().exec(
            "INSERT INTO foreign_traffic SELECT repeat('x', 1900) FROM generate_series(1, 20000)");
        bench_.database().exec("TRUNCATE foreign_traffic");
        written = bench_.number("SELECT pg_current_wal_lsn() - '0/0'") - before;
        EXPECT_TRUE(Bench::eventually([&] { return lag() < 64LL * kMiB; })) << relay->log();
    }
    RecordProperty("written_mib", static_cast<int>(written / kMiB));
    EXPECT_TRUE(Bench::eventually([&] { return lag() < 16LL * kMiB; })) << lag() << relay->log();
    bench_.publish("k", "k:1");
    expect_exactly(2, *relay);
}

TEST_F(Slot, ThatIsGoneAtTheStartIsMadeAnewAndWhatTheCheckpointDoesNotHoldIsPublished) {
    auto relay = bench_.relay();
    Load load(bench_.database().url(), bench_.events());
    ASSERT_TRUE(bench_.arrive(500));
    ASSERT_TRUE(proven()) << relay->log();
    relay->kill();
    ASSERT_TRUE(no_slot_reader());
    bench_.database().exec("SELECT gantry.enqueue('default', 'gantry.noop')");
    bench_.database().exec("SELECT pg_drop_replication_slot(gantry.outbox_slot())");
    bench_.database().exec("SELECT gantry.enqueue('default', 'gantry.noop')");
    relay = bench_.relay();
    ASSERT_TRUE(reads(*relay)) << relay->log();
    bench_.database().exec("SELECT gantry.enqueue('default', 'gantry.noop')");
    EXPECT_EQ(bench_.read(bench_.prefix() + ".jobs.default", 3).size(), 3U) << relay->log();
    const auto committed = load.stop();
    const auto verdict = expect_all(committed, committed, *relay);
    RecordProperty("duplicates", static_cast<int>(verdict.duplicates));
}

TEST_F(Slot, ThatIsDroppedDuringTenThousandWritesIsRecoveredExactly) {
    const auto relay = bench_.relay();
    ASSERT_TRUE(reads(*relay)) << relay->log();
    constexpr std::size_t kWrites = 10'000;
    Load load(bench_.database().url(), bench_.events(), 5,
              {.writers = 3, .pause = std::chrono::microseconds{0}, .most = kWrites});
    for (const std::size_t at : {2'000U, 5'000U, 8'000U}) {
        ASSERT_TRUE(Bench::eventually([&] { return load.committed() >= at; }));
        drop_under_the_reader();
    }
    ASSERT_EQ(load.finish(), kWrites);
    const auto verdict = expect_all(kWrites, kWrites, *relay);
    RecordProperty("duplicates", static_cast<int>(verdict.duplicates));
    EXPECT_TRUE(relay->logged("the replication slot is lost")) << relay->log();
    EXPECT_EQ(bench_.number("SELECT count(*) FROM gantry.outbox_parked"), 0);
}

TEST_F(Slot, ThatIsRecreatedUnderTheRelayIsNotTrusted) {
    const auto relay = bench_.relay();
    ASSERT_TRUE(reads(*relay)) << relay->log();
    Load load(bench_.database().url(), bench_.events());
    ASSERT_TRUE(bench_.arrive(300)) << relay->log();
    for (int round = 0; round < 2; ++round) {
        // Frozen, or it would make the slot itself meanwhile.
        relay->signal(SIGSTOP);
        drop_under_the_reader();
        const auto missed = load.committed();
        ASSERT_TRUE(Bench::eventually([&] { return load.committed() > missed + 50; }));
        bench_.database().exec(
            "SELECT pg_create_logical_replication_slot(gantry.outbox_slot(), 'pgoutput')");
        relay->signal(SIGCONT);
        ASSERT_TRUE(bench_.arrive(load.committed() + 100)) << relay->log();
    }
    const auto committed = load.stop();
    const auto verdict = expect_all(committed, committed, *relay);
    RecordProperty("duplicates", static_cast<int>(verdict.duplicates));
    EXPECT_TRUE(relay->logged("the replication slot is lost")) << relay->log();
}

TEST_F(Slot, ThatIsAheadOfTheCheckpointIsNotTrusted) {
    auto relay = bench_.relay();
    bench_.publish("k", "k:0");
    ASSERT_TRUE(bench_.arrive(1)) << relay->log();
    ASSERT_EQ(relay->stop(), 0);
    bench_.publish("k", "k:1");
    bench_.database().exec(
        "SELECT pg_replication_slot_advance(gantry.outbox_slot(), pg_current_wal_lsn())");
    bench_.publish("k", "k:2");
    relay = bench_.relay();
    expect_all(3, 1, *relay);
}

TEST_F(Slot, IsMadeAnewWhenThePublicationWasDropped) {
    const auto relay = bench_.relay();
    ASSERT_TRUE(reads(*relay)) << relay->log();
    Load load(bench_.database().url(), bench_.events());
    ASSERT_TRUE(bench_.arrive(300)) << relay->log();
    ASSERT_TRUE(proven()) << relay->log();
    bench_.database().exec("DROP PUBLICATION gantry_outbox");
    // Said in a word that an operator can act on.
    ASSERT_TRUE(Bench::eventually([&] {
        return relay->logged("the publication gantry_outbox is missing") &&
               relay->probe("/readyz") == 503;
    })) << relay->log();
    const auto missed = load.committed();
    ASSERT_TRUE(Bench::eventually([&] { return load.committed() > missed + 100; }));
    EXPECT_EQ(load.refused(), "");
    bench_.database().exec(
        "CREATE PUBLICATION gantry_outbox FOR TABLE gantry.outbox_message, "
        "gantry.outbox_heartbeat WITH (publish = 'insert', publish_via_partition_root = true)");
    ASSERT_TRUE(bench_.arrive(load.committed() + 100)) << relay->log();
    EXPECT_TRUE(Bench::eventually([&] { return relay->probe("/readyz") == 200; }));
    const auto committed = load.stop();
    const auto verdict = expect_all(committed, committed, *relay);
    RecordProperty("duplicates", static_cast<int>(verdict.duplicates));
}

TEST(Mode, IsSwitchedUnderLoadInBothDirections) {
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
    const auto verdict = bench.watch(bench.events(), committed);
    EXPECT_EQ(verdict.different, committed) << relay->log();
    EXPECT_EQ(verdict.disorder, "");
    RecordProperty("duplicates", static_cast<int>(verdict.duplicates));
    EXPECT_EQ(relay->stop(), 0);
}

}  // namespace
}  // namespace gantry::relay
