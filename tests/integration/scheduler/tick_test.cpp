#include "support.hpp"

#include <gtest/gtest.h>

namespace gantry::scheduler {
namespace {

using namespace testing;
using std::chrono::seconds;

/// One schedule, its shard's state, and a fire of it that is due.
class Tick : public ::testing::Test {
protected:
    Tick() : pool_(db_.options(), registry_), store_(pool_) {
        applied(db_, {every_second("ticked")});
        db_.exec("UPDATE gantry.schedule_shard SET watermark = watermark - interval '10 s'");
        const auto shard = static_cast<int>(number(db_, "SELECT shard FROM gantry.schedule"));
        const auto loaded = store_.load({shard}, soon()).value();
        state_ = loaded.shards.at(0);
        now_ = loaded.server_time;
        fire_.schedule_id = loaded.schedules.at(0).id;
        fire_.schedule_name = "ticked";
        fire_.payload = "{}";
        fire_.plan.fire_time = std::chrono::floor<seconds>(now_) - seconds{1};
        fire_.plan.due_at = fire_.plan.fire_time;
        fire_.plan.first_fire_time = fire_.plan.fire_time;
    }

    static Deadline soon() { return Deadline::after(seconds{10}); }

    TickReply tick(Store::Advance advance = Store::Advance::yes) {
        return store_.tick(state_, now_, advance, {fire_}, soon()).value();
    }

    void expect_nothing_done() const {
        EXPECT_EQ(number(db_, "SELECT count(*) FROM gantry.fire"), 0);
        EXPECT_EQ(number(db_, kJobs), 0);
    }

    TestDatabase db_;
    metrics::Registry registry_;
    postgres::Pool pool_;
    Store store_;
    ShardState state_;
    Instant now_;
    FireToMake fire_;
};

TEST_F(Tick, MakesTheFireItsJobAndTheWatermark) {
    const auto reply = tick();
    EXPECT_EQ(reply.status, TickStatus::done);
    EXPECT_EQ(reply.made, 1);
    EXPECT_EQ(reply.watermark, now_);
    EXPECT_EQ(number(db_, kMismatches), 0);
    EXPECT_EQ(number(db_, kJobs), 1);
    EXPECT_EQ(number(db_,
                     "SELECT count(*) FROM gantry.job WHERE tags ->> 'schedule' = 'ticked' "
                     "AND content_type = 'application/json' AND type = 'gantry.noop'"),
              1);
}

TEST_F(Tick, IsRefusedWithTheWatermarkOfAnEarlierOne) {
    tick();
    fire_.plan.fire_time -= seconds{1};
    EXPECT_EQ(tick().status, TickStatus::stale);
    EXPECT_EQ(number(db_, kJobs), 1);
}

TEST_F(Tick, MakesNothingTwiceWhenItGoesOnWithoutAnAdvance) {
    EXPECT_EQ(tick(Store::Advance::no).made, 1);
    const auto again = tick();
    EXPECT_EQ(again.status, TickStatus::done);
    EXPECT_EQ(again.made, 0);
    EXPECT_EQ(number(db_, kJobs), 1);
    EXPECT_EQ(number(db_, kMismatches), 0);
}

TEST_F(Tick, IsRefusedAfterAnEdit) {
    db_.exec("SELECT gantry.schedule_pause('ticked', true)");
    EXPECT_EQ(tick().status, TickStatus::stale);
    expect_nothing_done();
}

TEST_F(Tick, IsRefusedBeforeTheServersClockHasComeThere) {
    fire_.plan.due_at = now_ + std::chrono::minutes{1};
    EXPECT_EQ(tick().status, TickStatus::early);
    expect_nothing_done();
}

TEST_F(Tick, NeverMovesTheWatermarkPastTheServersClock) {
    const auto reply =
        store_.tick(state_, now_ + std::chrono::hours{1}, Store::Advance::yes, {}, soon()).value();
    EXPECT_EQ(reply.status, TickStatus::done);
    EXPECT_LE(reply.watermark, reply.server_time);
}

TEST_F(Tick, DoesNotWaitForAShardThatAnotherSessionHas) {
    const auto other = db_.connect();
    auto transaction = postgres::Transaction::begin(*other).value();
    ASSERT_TRUE(transaction.exec("SELECT FROM gantry.schedule_shard FOR UPDATE"));
    EXPECT_EQ(tick().status, TickStatus::busy);
    transaction.rollback();
    expect_nothing_done();
}

TEST_F(Tick, RecordsTheRefusalOfAJobAndMakesTheOthers) {
    db_.exec("UPDATE gantry.schedule SET queue = 'undeclared'");
    const auto reply = tick();
    EXPECT_EQ(reply.status, TickStatus::done);
    EXPECT_EQ(reply.made, 0);
    EXPECT_EQ(reply.refused, 1);
    EXPECT_EQ(number(db_,
                     "SELECT count(*) FROM gantry.fire WHERE outcome = 'failed' AND reason <> '' "
                     "AND job_id IS NULL"),
              1);
}

}  // namespace
}  // namespace gantry::scheduler
