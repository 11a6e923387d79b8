#include "support.hpp"

#include "mode.hpp"

#include <future>
#include <sstream>

namespace gantry::testing {
namespace {

using ::testing::HasSubstr;

class SetMode : public ::testing::Test {
protected:
    SetMode() { set_both_settings("wal"); }

    void set_both_settings(const char* mode) {
        session.exec(
            "UPDATE gantry.setting SET value = $1 WHERE name IN ('outbox.mode', "
            "'outbox.reader')",
            {mode});
    }

    Result<void> set_mode(const std::string& mode, milliseconds wait = milliseconds{30'000}) {
        migrate::Options options;
        options.command = migrate::Command::set_mode;
        options.database_url = database.url();
        options.mode = mode;
        options.wait = wait;
        options.handover = milliseconds{1};
        out.str({});
        const auto connection = database.connect();
        return migrate::set_mode(*connection, options, out, out);
    }

    std::string setting(const char* name) {
        return session.value<std::string>("SELECT value FROM gantry.setting WHERE name = $1",
                                          {name});
    }

    /// As if a relay had led.
    void have_led() { session.exec("UPDATE gantry.outbox_lease SET epoch = 3 WHERE shard = 0"); }

    TestDatabase database;
    Session session{database};
    std::ostringstream out;
};

TEST_F(SetMode, WithoutARelayMovesBothSettingsAtOnce) {
    ASSERT_TRUE(set_mode("polling"));
    EXPECT_EQ(setting("outbox.mode"), "polling");
    EXPECT_EQ(setting("outbox.reader"), "polling");
    ASSERT_TRUE(set_mode("wal"));
    EXPECT_EQ(setting("outbox.mode"), "wal");
    EXPECT_EQ(setting("outbox.reader"), "wal");
    EXPECT_EQ(session.value<int>("SELECT count(*) FROM gantry.outbox_handover"), 0);
}

TEST_F(SetMode, WithoutARelayCarriesWaitingJobsOver) {
    session.exec("SELECT gantry.enqueue('default', 'a') FROM generate_series(1, 3)");
    ASSERT_EQ(session.value<int>("SELECT count(*) FROM gantry.outbox_wakeup"), 0);
    ASSERT_TRUE(set_mode("polling"));
    EXPECT_EQ(session.value<int>("SELECT count(DISTINCT job) FROM gantry.outbox_wakeup"), 3);
    EXPECT_EQ(session.value<int>("SELECT count(*) FROM gantry.outbox_wakeup"), 3);
}

TEST_F(SetMode, ToTheSameModeIsNothing) {
    ASSERT_TRUE(set_mode("wal"));
    EXPECT_EQ(out.str(), "the outbox's mode is wal\n");
}

TEST_F(SetMode, ToPollingAsksTheRelayAndWritesBothLanesMeanwhile) {
    have_led();
    ASSERT_TRUE(set_mode("polling"));
    EXPECT_THAT(out.str(), HasSubstr("is recorded; outbox-relay finishes it"));
    EXPECT_EQ(setting("outbox.mode"), "both");
    EXPECT_EQ(setting("outbox.reader"), "wal");
    const auto handover = session.value<std::int64_t>(
        "SELECT id FROM gantry.outbox_handover WHERE to_reader = 'polling' AND finished_at IS "
        "NULL");
    // Another epoch cannot finish it.
    EXPECT_FALSE(session.value<bool>(
        "SELECT gantry.finish_outbox_handover($1, 2, pg_current_snapshot())", {handover}));
    EXPECT_TRUE(
        session.value<bool>("SELECT gantry.finish_outbox_handover($1, 3, '10:20:')", {handover}));
    EXPECT_FALSE(
        session.value<bool>("SELECT gantry.finish_outbox_handover($1, 3, '10:20:')", {handover}));
    EXPECT_EQ(setting("outbox.mode"), "polling");
    EXPECT_EQ(setting("outbox.reader"), "polling");
    EXPECT_EQ(session.value<std::string>(
                  "SELECT from_snapshot::text FROM gantry.outbox_cursor WHERE shard = 0"),
              "10:20:");
}

TEST_F(SetMode, ToWalMakesASlotWhoseStreamBeginsAtTheSnapshot) {
    have_led();
    set_both_settings("polling");
    session.exec("SELECT gantry.publish('t', NULL, 'before', '')");
    ASSERT_TRUE(set_mode("wal"));
    session.exec("SELECT gantry.publish('t', NULL, 'after', '')");
    const auto handover = session.exec(
        "SELECT id, slot, snapshot::text, slot = gantry.outbox_slot() FROM gantry.outbox_handover");
    ASSERT_EQ(handover.size(), 1U);
    EXPECT_TRUE(handover[0].get<bool>(3));
    const auto polled = session.exec(
        "SELECT type FROM gantry.outbox_message WHERE pg_visible_in_snapshot(xid, $1) ORDER BY id",
        {handover[0].get<std::string>(2)});
    ASSERT_EQ(polled.size(), 1U);
    EXPECT_EQ(polled[0].get<std::string>(0), "before");
    const auto streamed = session.exec(
        "SELECT position('before'::bytea IN data) > 0, position('after'::bytea IN data) > 0 "
        "FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', "
        "'publication_names', 'gantry_outbox') WHERE get_byte(data, 0) = ascii('I')",
        {handover[0].get<std::string>(1)});
    ASSERT_EQ(streamed.size(), 1U);
    EXPECT_FALSE(streamed[0].get<bool>(0));
    EXPECT_TRUE(streamed[0].get<bool>(1));
    EXPECT_TRUE(session.value<bool>("SELECT gantry.finish_outbox_handover($1, 3)",
                                    {handover[0].get<std::int64_t>(0)}));
    EXPECT_EQ(setting("outbox.mode"), "wal");
    EXPECT_EQ(setting("outbox.reader"), "wal");
}

TEST_F(SetMode, WaitsForTransactionsThatMayHaveSeenTheModeBefore) {
    have_led();
    Session old(database);
    old.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
    old.exec("SELECT gantry.outbox_mode()");  // has read "wal", has no xid yet
    const auto refused = set_mode("polling", milliseconds{200});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, "OLD_TRANSACTIONS");
    EXPECT_EQ(setting("outbox.mode"), "both");
    EXPECT_EQ(session.value<int>("SELECT count(*) FROM gantry.outbox_handover"), 0);

    auto again = std::async(std::launch::async, [&] { return set_mode("polling"); });
    EXPECT_EQ(again.wait_for(milliseconds{300}), std::future_status::timeout);
    old.exec("SELECT gantry.enqueue('default', 'a')");
    old.exec("COMMIT");
    EXPECT_TRUE(again.get());
    EXPECT_EQ(session.value<int>("SELECT count(*) FROM gantry.outbox_handover"), 1);
}

TEST_F(SetMode, InterruptedChangeCanBeTakenBack) {
    session.exec("UPDATE gantry.setting SET value = 'both' WHERE name = 'outbox.mode'");
    ASSERT_TRUE(set_mode("wal"));
    EXPECT_EQ(setting("outbox.mode"), "wal");
}

TEST_F(SetMode, OtherDirectionWhileOneIsUnderWayIsRefused) {
    have_led();
    ASSERT_TRUE(set_mode("polling"));
    const auto refused = set_mode("wal");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, "MODE_CHANGING");
    ASSERT_TRUE(set_mode("polling"));
    EXPECT_EQ(session.value<int>("SELECT count(*) FROM gantry.outbox_handover"), 1);
}

TEST_F(SetMode, NeedsTheSchema) {
    const TestDatabase empty(TestDatabase::Content::empty);
    EXPECT_EQ(run_migrate(empty.url(), "set-mode polling"), 70);
}

}  // namespace
}  // namespace gantry::testing
