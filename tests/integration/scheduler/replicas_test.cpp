#include "support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gantry::scheduler {
namespace {

using namespace testing;
using std::chrono::seconds;
using ::testing::HasSubstr;

std::vector<Definition> several() {
    std::vector<Definition> out;
    for (int i = 0; i < 6; ++i) {
        out.push_back(every_second("every-second-" + std::to_string(i)));
    }
    return out;
}

void expect_each_fire_once(const TestDatabase& db) {
    EXPECT_EQ(number(db, kMismatches), 0) << "fires and jobs do not pair up";
    EXPECT_EQ(number(db, kGaps), 0) << "a due time was lost";
    EXPECT_EQ(number(db, "SELECT count(*) FROM gantry.fire WHERE outcome <> 'fired'"), 0);
    EXPECT_EQ(number(db, kFired), number(db, kJobs));
}

TEST(Replicas, TwoMakeExactlyOneJobAFire) {
    const TestDatabase db;
    applied(db, several());
    {
        const Replica one(db);
        const Replica two(db);
        ASSERT_TRUE(reaches(db, kFired, 30));
    }
    expect_each_fire_once(db);
}

TEST(Replicas, ThreeMakeExactlyOneJobAFireThoughTheirSessionsAreKilled) {
    const TestDatabase db;
    applied(db, several());
    {
        const Replica one(db);
        const Replica two(db);
        const Replica three(db);
        ASSERT_TRUE(reaches(db, kFired, 6));
        for (int i = 0; i < 12; ++i) {
            db.kill_sessions();
            system_clock().sleep_for(milliseconds{150}, {});
        }
        ASSERT_TRUE(reaches(db, kFired, number(db, kFired) + 12));
    }
    expect_each_fire_once(db);
}

TEST(Replicas, TheOtherGoesOnWhenOneEnds) {
    const TestDatabase db;
    applied(db, several());
    Replica one(db);
    const Replica two(db);
    ASSERT_TRUE(reaches(db, kFired, 12));
    one.stop();
    const auto before = number(db, kFired);
    ASSERT_TRUE(reaches(db, kFired, before + 18));
    expect_each_fire_once(db);
    // Takeover is a timer of a quarter of a second, not an election.
    EXPECT_LT(number(db,
                     "SELECT (extract(epoch FROM max(created_at - due_at)) * 1000)::bigint FROM "
                     "gantry.fire"),
              3'000);
}

TEST(Replicas, ASessionThatStopsInsideATransactionCannotHoldAShard) {
    const TestDatabase db;
    applied(db, {every_second("held")});
    auto stopped = postgres::Connection::open(tick_session(db.options())).value();
    auto transaction = postgres::Transaction::begin(*stopped).value();
    ASSERT_TRUE(transaction.exec("SELECT FROM gantry.schedule_shard FOR UPDATE"));
    const Replica one(db);
    EXPECT_TRUE(reaches(db, kFired, 3));
    EXPECT_FALSE(transaction.exec("SELECT 1"));
    expect_each_fire_once(db);
}

TEST(Replicas, AHerdDueInOneSecondIsFiredOnceInSeveralBatches) {
    const TestDatabase db;
    Definition definition = every_second("herd");
    definition.spec = "* * * * *";
    definition.catch_up = CatchUp::latest;
    std::vector<Definition> herd;
    for (int i = 0; i < 2'000; ++i) {
        herd.push_back(definition);
        herd.back().name += "-" + std::to_string(i);
    }
    applied(db, herd);
    pretend_outage(db, "1 minute");
    auto options = quick();
    options.batch_size = 50;
    {
        const Replica one(db, options);
        const Replica two(db, options);
        ASSERT_TRUE(reaches(db, kFired, 2'000));
    }
    EXPECT_EQ(number(db, kMismatches), 0);
    EXPECT_EQ(
        number(db, "SELECT count(DISTINCT schedule_id) FROM gantry.fire WHERE outcome = 'fired'"),
        2'000);
}

TEST(Replicas, AnEventCarriesScheduleAndNominalTimeAsItsId) {
    const TestDatabase db;
    auto definition = every_second("events");
    definition.queue.reset();
    definition.topic = "gantry.events.ticks";
    definition.type = "tick";
    definition.payload = R"({"at":"{{fire_time}}"})";
    applied(db, {definition});
    {
        const Replica one(db);
        const Replica two(db);
        ASSERT_TRUE(reaches(db, kFired, 4));
    }
    EXPECT_EQ(number(db, "SELECT count(*) FROM gantry.outbox_message"), number(db, kFired));
    EXPECT_EQ(number(db, R"(
        SELECT count(*) FROM gantry.outbox_message m JOIN gantry.fire f ON f.event_id = m.headers ->> 'ce_id'
        WHERE m.topic = 'gantry.events.ticks' AND m.type = 'tick' AND m.source = '/gantry/schedules/events'
          AND m.headers ->> 'ce_id' = 'events/' || to_char(f.fire_time, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
          AND convert_from(m.payload, 'UTF8')::json ->> 'at'
              = to_char(f.fire_time, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))"),
              number(db, kFired));
}

TEST(Replicas, AScheduleThatIsRefusedDoesNotHoldUpTheOthers) {
    const TestDatabase db;
    std::vector<Definition> all = several();
    for (auto& one : all) {
        one.name += "-undeclared";
        one.queue = "undeclared";
    }
    const auto good = several();
    all.insert(all.end(), good.begin(), good.end());
    applied(db, all);
    std::string metrics;
    {
        const Replica one(db);
        ASSERT_TRUE(reaches(db, kFired, 12));
        metrics = one.metrics();
    }
    EXPECT_EQ(number(db, kGaps), 0);
    EXPECT_EQ(number(db, kMismatches), 0);
    const auto failed =
        db.exec("SELECT count(*), min(reason) FROM gantry.fire WHERE outcome = 'failed'");
    EXPECT_GE(failed.front().get<std::int64_t>(0), 6);
    EXPECT_THAT(failed.front().get<std::string>(1), HasSubstr("queue is not declared"));
    EXPECT_THAT(metrics, HasSubstr("gantry_scheduler_fires_total{outcome=\"failed\"}"));
}

}  // namespace
}  // namespace gantry::scheduler
