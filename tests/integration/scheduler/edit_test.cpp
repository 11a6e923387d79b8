#include "support.hpp"

#include <gtest/gtest.h>

namespace gantry::scheduler {
namespace {

using namespace testing;

constexpr std::string_view kNow = "SELECT clock_timestamp()";

TEST(Edit, APauseIsSharpHoweverItRacesWithAFire) {
    const TestDatabase db;
    applied(db, {every_second("raced")});
    TickerOptions slow;  // looks for edits once a second: only the tick itself can notice the pause
    const Replica one(db, slow);
    const Replica two(db, slow);
    ASSERT_TRUE(reaches(db, kFired, 2));
    for (int round = 0; round < 4; ++round) {
        // Shortly before a fire.
        db.exec("SELECT pg_sleep((1.8 - extract(second FROM clock_timestamp()) % 1) % 1)");
        system_clock().sleep_for(milliseconds{45 * round}, {});
        db.exec("SELECT gantry.schedule_pause('raced', true, 'maintenance')");
        const auto paused = db.exec(kNow).front().get<Instant>(0);
        const auto skips = number(db, "SELECT count(*) FROM gantry.fire WHERE outcome = 'skipped'");
        ASSERT_TRUE(reaches(
            db, "SELECT count(*) FROM gantry.fire WHERE outcome = 'skipped' AND reason = 'paused'",
            skips + 2));
        EXPECT_EQ(
            number(db,
                   "SELECT count(*) FROM gantry.fire WHERE outcome = 'fired' AND created_at > $1",
                   {paused}),
            0);
        db.exec("SELECT gantry.schedule_pause('raced', false)");
        const auto resumed = db.exec(kNow).front().get<Instant>(0);
        ASSERT_TRUE(reaches(db, kFired, number(db, kFired) + 2));
        EXPECT_EQ(
            number(db,
                   "SELECT count(*) FROM gantry.fire WHERE outcome = 'skipped' AND created_at > $1",
                   {resumed}),
            0);
        // What was due while it was paused does not come later.
        EXPECT_EQ(
            number(db,
                   "SELECT count(*) FROM gantry.fire WHERE outcome = 'fired' AND created_at > $1 "
                   "AND fire_time < $1::timestamptz - interval '1 s'",
                   {resumed}),
            0);
    }
    EXPECT_EQ(number(db, kMismatches), 0);
}

TEST(Edit, AScheduleMadeBehindTheTickIsNotLost) {
    const TestDatabase db;
    applied(db, {every_second("first")});
    const Replica one(db);
    const Replica two(db);
    ASSERT_TRUE(reaches(db, kFired, 2));
    for (int i = 0; i < 3; ++i) {
        std::vector<Definition> all{every_second("first")};
        for (int j = 0; j <= i; ++j) {
            all.push_back(every_second("later-" + std::to_string(j)));
        }
        applied(db, all);
        system_clock().sleep_for(milliseconds{330}, {});
    }
    ASSERT_TRUE(reaches(db, kFired, number(db, kFired) + 12));
    // Each fires from the first whole second after it was armed.
    EXPECT_EQ(number(db, R"(
        SELECT count(*) FROM gantry.schedule s
        WHERE (SELECT min(fire_time) FROM gantry.fire f WHERE f.schedule_id = s.id AND outcome = 'fired')
              IS DISTINCT FROM date_trunc('second', s.armed_from) + interval '1 s')"),
              0);
    EXPECT_EQ(number(db, kGaps), 0);
    EXPECT_EQ(number(db, kMismatches), 0);
}

TEST(Edit, ADeletedScheduleFiresNoMore) {
    const TestDatabase db;
    applied(db, {every_second("gone"), every_second("stays")});
    const Replica one(db);
    const Replica two(db);
    ASSERT_TRUE(reaches(db, kFired, 4));
    applied(db, {every_second("stays")});
    const auto deleted = db.exec(kNow).front().get<Instant>(0);
    ASSERT_TRUE(reaches(db, kFired, number(db, kFired) + 3));
    EXPECT_EQ(number(db,
                     "SELECT count(*) FROM gantry.fire f WHERE created_at > $1 AND NOT EXISTS "
                     "(SELECT FROM gantry.schedule s WHERE s.id = f.schedule_id)",
                     {deleted}),
              0);
}

TEST(Edit, AnEditThatLeavesTheTimingAloneLosesNoFire) {
    const TestDatabase db;
    auto definition = every_second("edited");
    applied(db, {definition});
    const Replica one(db);
    const Replica two(db);
    ASSERT_TRUE(reaches(db, kFired, 2));
    for (int i = 0; i < 10; ++i) {
        definition.payload = R"({"edit":)" + std::to_string(i) + "}";
        applied(db, {definition});
        system_clock().sleep_for(milliseconds{170}, {});
    }
    ASSERT_TRUE(reaches(db, kFired, number(db, kFired) + 2));
    EXPECT_EQ(number(db, kGaps), 0);
    EXPECT_EQ(number(db, kMismatches), 0);
}

}  // namespace
}  // namespace gantry::scheduler
