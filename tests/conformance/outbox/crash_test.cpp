// kill -9 at every moment that matters. The relay of the tests stops there and says so; see
// services/outbox-relay/crash_points.hpp.
#include "acceptance.hpp"

#include <fstream>
#include <sstream>

namespace gantry::relay {
namespace {

using testing::Bench;
using testing::StopAt;

// So many records may be repeated: sent to Kafka, and not yet stored as done.
constexpr std::size_t kInFlight = 500;
const std::vector<std::string> kFlags = {"--relay.inflight_records=" + std::to_string(kInFlight),
                                         "--relay.lease_ttl=2s"};

class Crash : public InBothModes {
protected:
    /// Commits so many events on ten keys, ten a transaction.
    void publish(std::size_t count) {
        auto session = bench_.database().connect();
        ASSERT_TRUE(session->exec_script(
            "DO $do$ BEGIN FOR t IN " + std::to_string(published_ / 10) + ".." +
            std::to_string((published_ + count) / 10 - 1) +
            " LOOP "
            "INSERT INTO gantry.outbox_message (topic, key, type, payload) SELECT '" +
            bench_.events() +
            "', 'k' || i, 't', ('k' || i || ':' || t)::bytea FROM generate_series(0, 9) i;"
            "COMMIT; END LOOP; END $do$"));
        published_ += count;
    }

    /// Kills a relay at the point, while more is written, and lets the shipped one go on. So many
    /// records in the middle are for a topic that does not exist.
    void kill_at(const std::string& point, int count, int refused = 0) {
        const auto doomed = bench_.relay(kFlags, StopAt{point, count});
        ASSERT_TRUE(reads(*doomed)) << doomed->log();
        publish(1'500);
        for (int i = 0; i < refused; ++i) {
            publish_refused();
        }
        publish(1'500);
        ASSERT_TRUE(Bench::eventually([&] { return doomed->stopped_at_point(); })) << doomed->log();
        publish(500);
        doomed->kill();
        const auto relay = bench_.relay(kFlags);
        const auto verdict = expect_all(published_, kInFlight, *relay);
        RecordProperty("duplicates", static_cast<int>(verdict.duplicates));
        EXPECT_EQ(bench_.number("SELECT count(*) FROM gantry.outbox_parked"), parked_);
    }

    /// Commits a record for a topic that does not exist.
    void publish_refused() {
        bench_.database().exec("SELECT gantry.publish($1, 'lost', 't', 'lost:1')",
                               {bench_.prefix() + ".nowhere"});
        ++parked_;
    }

    std::size_t published_ = 0;
    std::int64_t parked_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Modes, Crash, both_modes(), mode_name);

TEST_P(Crash, AfterDecode) {
    kill_at("decoded", 2'500);
}

TEST_P(Crash, AfterSendBeforeTheAck) {
    kill_at("sent", 2'500);
}

TEST_P(Crash, AfterKafkaHasItBeforeTheRelayKnows) {
    kill_at("delivered", 2'500);
}

TEST_P(Crash, AfterTheAckBeforeItIsStored) {
    kill_at("acknowledged", 2'500);
}

TEST_P(Crash, AfterItIsStoredBeforeTheConfirm) {
    kill_at("stored", 2);
}

TEST_P(Crash, WhileParking) {
    kill_at("parking", 1, 1);
}

TEST_P(Crash, AfterParking) {
    kill_at("parked", 1, 1);
}

TEST_P(Crash, DuringThePartitionDrop) {
    auto& database = bench_.database();
    database.exec(
        "SELECT gantry.make_partition(table_name, key_column, key_kind, fill_factor, "
        "(now() AT TIME ZONE 'UTC')::date - 10) FROM gantry.partition_policy "
        "WHERE table_name = 'outbox_message'");
    database.exec(
        "INSERT INTO gantry.outbox_message (created_at, topic, key, type, payload) "
        "SELECT clock_timestamp() - interval '10 days', $1, 'old', 't', ('old:' || i)::bytea "
        "FROM generate_series(1, 1000) i",
        {bench_.events()});
    // Inside of the transaction that drops the day, and long.
    ASSERT_TRUE(database.connect()->exec_script(
        "ALTER FUNCTION gantry.drop_partition(text, text) RENAME TO drop_partition_quickly;"
        "CREATE FUNCTION gantry.drop_partition(parent text, child text) RETURNS boolean "
        "LANGUAGE plpgsql AS $$ DECLARE done boolean; BEGIN "
        "done := gantry.drop_partition_quickly(parent, child); PERFORM pg_sleep(1); RETURN done; "
        "END $$"));
    auto flags = kFlags;
    flags.emplace_back("--relay.maintenance_interval=1s");
    flags.emplace_back("--relay.keep_published=1d");
    const auto doomed = bench_.relay(flags);
    ASSERT_TRUE(Bench::eventually([&] {
        return bench_.number(
                   "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                   "AND wait_event = 'PgSleep'") == 1;
    })) << doomed->log();
    doomed->kill();
    publish(500);
    const auto relay = bench_.relay(flags);
    expect_all(1'500, kInFlight, *relay);
    EXPECT_TRUE(Bench::eventually([&] {
        return bench_.number(
                   "SELECT count(*) FROM gantry.partition_days('outbox_message') "
                   "WHERE ended_at < now() - interval '2 days'") == 0;
    })) << relay->log();
}

TEST(CrashPoints, AreNotInTheShippedRelay) {
    std::ostringstream binary;
    binary << std::ifstream(GANTRY_OUTBOX_RELAY_BINARY, std::ios::binary).rdbuf();
    EXPECT_NE(binary.str().find("streaming from the slot"), std::string::npos);
    EXPECT_EQ(binary.str().find("GANTRY_CRASH_POINT"), std::string::npos);
}

}  // namespace
}  // namespace gantry::relay
