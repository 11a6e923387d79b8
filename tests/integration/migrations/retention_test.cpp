#include "support.hpp"

#include "gantry/base/uuid.hpp"

namespace gantry::testing {
namespace {

class Retention : public ::testing::Test {
protected:
    Retention() {
        session.exec(
            "SELECT gantry.make_partition('job', 'id', 'uuid_v7', 58, d::date) "
            "FROM generate_series(now() - interval '20 days', now() - interval '2 days', "
            "'1 day') d");
    }

    /// A job of ten days ago in the given state, finished at once.
    Uuid old_job(const std::string& state) {
        const auto id = session.value<Uuid>(
            "SELECT gantry.enqueue('default', 'a', id => gantry.uuid_v7(now() - interval '10 "
            "days'))");
        session.exec(
            "UPDATE gantry.job SET state = $2::gantry.job_state, finished_at = CASE WHEN "
            "$2 IN ('succeeded', 'dead', 'cancelled') THEN now() - interval '10 days' END "
            "WHERE id = $1",
            {id, state});
        return id;
    }

    bool exists(const char* table, const Uuid& id) {
        return session.value<bool>(
            std::string("SELECT EXISTS (SELECT FROM gantry.") + table + " WHERE id = $1)", {id});
    }

    TestDatabase database;
    Session session{database};
};

TEST_F(Retention, FinishedJobsGoWithTheirDay) {
    const auto id = old_job("succeeded");
    EXPECT_GT(session.value<int>("SELECT gantry.drop_finished_jobs()"), 0);
    EXPECT_FALSE(exists("job", id));
    EXPECT_FALSE(exists("job_kept", id));
}

TEST_F(Retention, QueuedJobsDelayTheDrop) {
    const auto queued = old_job("queued");
    const auto done = old_job("succeeded");
    session.exec("SELECT gantry.drop_finished_jobs()");
    EXPECT_TRUE(exists("job", queued));
    EXPECT_TRUE(exists("job", done));
}

TEST_F(Retention, DeadAndScheduledJobsAreKept) {
    const auto dead = old_job("dead");
    session.exec(
        "INSERT INTO gantry.job_dead (job, queue, type, reason) "
        "VALUES ($1, 'default', 'a', 'attempts_exhausted')",
        {dead});
    const auto scheduled = old_job("scheduled");
    EXPECT_GT(session.value<int>("SELECT gantry.drop_finished_jobs()"), 0);
    EXPECT_TRUE(exists("job_kept", dead));
    EXPECT_TRUE(exists("job_kept", scheduled));
    EXPECT_FALSE(exists("job", dead));
    EXPECT_EQ(session.value<std::int64_t>("SELECT count(*) FROM gantry.job_dead"), 1);
    // Dead ones go after 14 days.
    session.exec("SELECT gantry.drop_finished_jobs(now() + interval '5 days')");
    EXPECT_FALSE(exists("job_kept", dead));
    EXPECT_EQ(session.value<std::int64_t>("SELECT count(*) FROM gantry.job_dead"), 0);
}

TEST_F(Retention, OutboxGoesOnlyBehindTheProvenCheckpoint) {
    session.exec(
        "SELECT gantry.make_partition('outbox_message', 'created_at', 'time', 100, "
        "(now() - interval '10 days')::date)");
    session.exec(
        "INSERT INTO gantry.outbox_message (topic, type, created_at) "
        "VALUES ('t', 'a', now() - interval '10 days')");
    const auto rows = [&] {
        return session.value<std::int64_t>("SELECT count(*) FROM gantry.outbox_message");
    };
    // Nothing is proven.
    session.exec("SELECT gantry.outbox_drop_published()");
    EXPECT_EQ(rows(), 1);
    // A checkpoint from before the row.
    session.exec("UPDATE gantry.setting SET value = 'wal' WHERE name LIKE 'outbox.%'");
    session.exec(
        "INSERT INTO gantry.outbox_checkpoint (shard, epoch, slot, system_identifier, "
        "end_lsn, snapshot) VALUES (0, 1, 's', '1', '0/0', '1:1:')");
    session.exec("SELECT gantry.outbox_drop_published()");
    EXPECT_EQ(rows(), 1);
    session.exec("UPDATE gantry.outbox_checkpoint SET snapshot = pg_current_snapshot()");
    EXPECT_EQ(session.value<int>("SELECT gantry.outbox_drop_published('30 days')"), 0);
    EXPECT_EQ(session.value<int>("SELECT gantry.outbox_drop_published()"), 1);
    EXPECT_EQ(rows(), 0);
}

TEST_F(Retention, Hl7MessagesGoByDayAndDuplicateKeysByWindow) {
    session.exec(
        "SELECT gantry.make_partition('hl7_message', 'id', 'uuid_v7', 100, "
        "(now() - interval '10 days')::date)");
    const auto store = [&](const char* age) {
        session.exec(
            "INSERT INTO gantry.hl7_message (id, size, listener, peer, facility, sha256, "
            "sender, control_id, raw) VALUES (gantry.uuid_v7(now() - $1::interval), 1, "
            "'l', 'p', 'f', '', '', '', '')",
            {age});
        session.exec(
            "INSERT INTO gantry.hl7_dedup VALUES ($1::text::bytea, '', '', "
            "gantry.uuid_v7(), now() - $1::interval, '')",
            {age});
    };
    store("10 days");
    store("1 hour");
    EXPECT_EQ(session.value<int>("SELECT gantry.hl7_maintain('5 days', '72 hours')"), 1);
    EXPECT_EQ(session.value<int>("SELECT count(*) FROM gantry.hl7_message"), 1);
    EXPECT_EQ(session.value<int>("SELECT count(*) FROM gantry.hl7_dedup"), 1);
    EXPECT_EQ(session.error("SELECT gantry.hl7_maintain('1 hour')").reason, "22023");
}

}  // namespace
}  // namespace gantry::testing
