#include "bench.hpp"

#include <gmock/gmock.h>

#include <chrono>

namespace gantry::relay {
namespace {

using std::chrono::steady_clock;
using testing::Bench;
using testing::judge;
using testing::Mode;

// Stands for a statement that takes longer than the lease: the sorting of a backlog of millions.
constexpr const char* kSlowWakeups = R"(
    ALTER FUNCTION gantry.wakeups_after(pg_snapshot) RENAME TO wakeups_after_quickly;
    CREATE FUNCTION gantry.wakeups_after(checkpoint pg_snapshot)
    RETURNS TABLE (queue text, job uuid, dispatch bigint, key text, xid xid8)
    LANGUAGE sql AS
    'SELECT pg_sleep(6); SELECT * FROM gantry.wakeups_after_quickly(checkpoint)')";

TEST(Lease, IsKeptWhileTheReaderWaitsForALock) {
    Bench bench(Mode::polling);
    const auto relay = bench.relay({"--relay.lease_ttl=2s"});
    bench.publish("k", "k:0");
    ASSERT_TRUE(bench.arrive(1)) << relay->log();
    const auto standby = bench.relay({"--relay.lease_ttl=2s"});
    ASSERT_TRUE(Bench::eventually([&] { return standby->logged("\"msg\":\"started\""); }));
    auto session = bench.database().connect();
    ASSERT_TRUE(session->exec_script(
        "BEGIN; LOCK TABLE gantry.outbox_message IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(6); "
        "COMMIT"));
    bench.publish("k", "k:1");
    const auto verdict = judge(bench.read(bench.events(), 2));
    EXPECT_EQ(verdict.different, 2U) << relay->log();
    EXPECT_EQ(bench.epoch(), 1) << relay->log();
}

TEST(Lease, IsKeptWhileALargeBacklogIsSorted) {
    Bench bench(Mode::wal);
    auto session = bench.database().connect();
    ASSERT_TRUE(session->exec_script(kSlowWakeups));
    bench.publish("k", "k:0");
    const auto relay = bench.relay({"--relay.lease_ttl=2s"});
    ASSERT_TRUE(Bench::eventually([&] { return relay->logged("\"msg\":\"leading\""); }));
    const auto standby = bench.relay({"--relay.lease_ttl=2s"});
    const auto verdict = judge(bench.read(bench.events(), 1));
    EXPECT_EQ(verdict.different, 1U) << relay->log();
    EXPECT_EQ(bench.epoch(), 1) << relay->log();
}

TEST(Stop, EndsAStatementThatTakesLong) {
    Bench bench(Mode::wal);
    auto session = bench.database().connect();
    ASSERT_TRUE(session->exec_script(kSlowWakeups));
    const auto relay = bench.relay();
    const auto sorting = [&] {
        return bench.number(
                   "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                   "AND wait_event = 'PgSleep'") == 1;
    };
    ASSERT_TRUE(Bench::eventually(sorting)) << relay->log();
    const auto before = steady_clock::now();
    EXPECT_EQ(relay->stop(), 0) << relay->log();
    EXPECT_LT(steady_clock::now() - before, std::chrono::seconds{4});
}

TEST(Stop, EndsAReaderThatWaitsForALock) {
    Bench bench(Mode::polling);
    const auto relay = bench.relay();
    bench.publish("k", "k:0");
    ASSERT_TRUE(bench.arrive(1)) << relay->log();
    auto session = bench.database().connect();
    ASSERT_TRUE(
        session->exec_script("BEGIN; LOCK TABLE gantry.outbox_message IN ACCESS EXCLUSIVE MODE"));
    ASSERT_TRUE(Bench::eventually([&] {
        return bench.number(
                   "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                   "AND wait_event_type = 'Lock'") == 1;
    }));
    const auto before = steady_clock::now();
    EXPECT_EQ(relay->stop(), 0) << relay->log();
    EXPECT_LT(steady_clock::now() - before, std::chrono::seconds{4});
    EXPECT_FALSE(relay->logged("\"level\":\"warning\"")) << relay->log();
}

}  // namespace
}  // namespace gantry::relay
