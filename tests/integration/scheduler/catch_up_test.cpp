#include "support.hpp"

#include <gtest/gtest.h>

namespace gantry::scheduler {
namespace {

using namespace testing;

Definition every_minute(CatchUp policy) {
    auto definition = every_second("late");
    definition.spec = "* * * * *";
    definition.catch_up = policy;
    return definition;
}

std::int64_t counted(const TestDatabase& db, std::string_view outcome) {
    return number(db, "SELECT coalesce(sum(count), 0)::bigint FROM gantry.fire WHERE outcome = $1",
                  {outcome});
}

void step_once_late(const TestDatabase& db) {
    pretend_outage(db, "1 hour");
    // Away from the whole minute, so that no fire on time mixes in.
    db.exec(
        "SELECT pg_sleep(CASE WHEN extract(second FROM clock_timestamp()) > 56 THEN 4.5 ELSE 0 "
        "END)");
    TickerOptions options = quick();
    options.missed_after = milliseconds{1};
    SteppedReplica(db, options).run_for(milliseconds{1'500});
}

TEST(CatchUp, NoneMissesWhatIsLate) {
    const TestDatabase db;
    applied(db, {every_minute(CatchUp::none)});
    step_once_late(db);
    EXPECT_EQ(number(db, kJobs), 0);
    EXPECT_NEAR(static_cast<double>(counted(db, "missed")), 60, 1);
}

TEST(CatchUp, LatestMakesOne) {
    const TestDatabase db;
    applied(db, {every_minute(CatchUp::latest)});
    step_once_late(db);
    EXPECT_EQ(number(db, kJobs), 1);
    EXPECT_NEAR(static_cast<double>(counted(db, "missed")), 59, 1);
    EXPECT_EQ(number(db,
                     "SELECT count(*) FROM gantry.fire WHERE outcome = 'fired' "
                     "AND fire_time > clock_timestamp() - interval '65 s'"),
              1);
    EXPECT_EQ(
        number(db, "SELECT count(*) FROM gantry.fire WHERE outcome = 'missed' AND reason <> ''"),
        1);
}

TEST(CatchUp, AllMakesUpToTheLimit) {
    const TestDatabase db;
    auto definition = every_minute(CatchUp::all);
    definition.catch_up_limit = 10;
    applied(db, {definition});
    step_once_late(db);
    EXPECT_EQ(number(db, kJobs), 10);
    EXPECT_EQ(number(db, kMismatches), 0);
    EXPECT_NEAR(static_cast<double>(counted(db, "missed")), 50, 1);
}

TEST(CatchUp, AllKeepsToTheWindow) {
    const TestDatabase db;
    auto definition = every_minute(CatchUp::all);
    definition.catch_up_window = std::chrono::minutes{15};
    applied(db, {definition});
    step_once_late(db);
    EXPECT_EQ(number(db, kJobs), 15);
    EXPECT_NEAR(static_cast<double>(counted(db, "missed")), 45, 1);
}

TEST(CatchUp, ASecondReplicaFindsItDone) {
    const TestDatabase db;
    auto definition = every_minute(CatchUp::all);
    definition.catch_up_limit = 10;
    applied(db, {definition});
    step_once_late(db);
    SteppedReplica(db).run_for(milliseconds{1'000});
    EXPECT_LE(number(db, kJobs), 11);  // one more if a minute began meanwhile
    EXPECT_EQ(number(db, kMismatches), 0);
}

}  // namespace
}  // namespace gantry::scheduler
