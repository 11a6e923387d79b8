#include "plan.hpp"

#include "gantry/base/time.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace gantry::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr milliseconds kMissedAfter{10'000};

Instant at(std::string_view text) {
    return parse_rfc3339(text).value();
}

Definition every_minute() {
    Definition definition;
    definition.name = "every-minute";
    definition.spec = "* * * * *";
    definition.queue = "default";
    definition.type = "gantry.noop";
    return definition;
}

ArmedSchedule armed(Definition definition, std::string_view armed_from = "2026-01-01T00:00:00Z") {
    return ArmedSchedule::create(Uuid::parse("01900000-0000-7000-8000-000000000001").value(),
                                 std::move(definition), at(armed_from))
        .value();
}

std::vector<PlannedFire> of(const std::vector<PlannedFire>& fires, Outcome outcome) {
    std::vector<PlannedFire> out;
    std::ranges::copy_if(fires, std::back_inserter(out),
                         [&](const PlannedFire& fire) { return fire.outcome == outcome; });
    return out;
}

TEST(Plan, FiresWhatIsDueAfterTheWatermarkAndByNow) {
    const auto schedule = armed(every_minute());
    const auto fires =
        plan(schedule, at("2026-02-01T00:01:00Z"), at("2026-02-01T00:02:00Z"), kMissedAfter);
    ASSERT_EQ(fires.size(), 1U);
    EXPECT_EQ(fires[0].fire_time, at("2026-02-01T00:02:00Z"));
    EXPECT_EQ(fires[0].due_at, fires[0].fire_time);
    EXPECT_EQ(fires[0].outcome, Outcome::fired);
    EXPECT_EQ(fires[0].reason, "");
    EXPECT_TRUE(plan(schedule, at("2026-02-01T00:02:00Z"), at("2026-02-01T00:02:59Z"), kMissedAfter)
                    .empty());
}

TEST(Plan, FiresNothingUpToTheTimeItWasArmed) {
    const auto schedule = armed(every_minute(), "2026-02-01T00:05:00Z");
    EXPECT_EQ(next_due(schedule, at("2026-02-01T00:00:30Z")), at("2026-02-01T00:06:00Z"));
    const auto fires =
        plan(schedule, at("2026-02-01T00:00:30Z"), at("2026-02-01T00:06:00Z"), kMissedAfter);
    ASSERT_EQ(fires.size(), 1U);
    EXPECT_EQ(fires[0].fire_time, at("2026-02-01T00:06:00Z"));
}

TEST(Plan, CatchUpLatestMakesTheNewestLateFireOnly) {
    const auto fires = plan(armed(every_minute()), at("2026-02-01T00:00:00Z"),
                            at("2026-02-01T01:00:30Z"), kMissedAfter);
    const auto fired = of(fires, Outcome::fired);
    ASSERT_EQ(fired.size(), 1U);
    EXPECT_EQ(fired[0].fire_time, at("2026-02-01T01:00:00Z"));
    const auto missed = of(fires, Outcome::missed);
    ASSERT_EQ(missed.size(), 1U);
    EXPECT_EQ(missed[0].count, 59);
    EXPECT_EQ(missed[0].first_fire_time, at("2026-02-01T00:01:00Z"));
    EXPECT_EQ(missed[0].fire_time, at("2026-02-01T00:59:00Z"));
    EXPECT_THAT(missed[0].reason, HasSubstr("a later fire was due"));
}

TEST(Plan, CatchUpLatestMakesNoLateFireBesideOneOnTime) {
    const auto fires = plan(armed(every_minute()), at("2026-02-01T00:00:00Z"),
                            at("2026-02-01T01:00:01Z"), kMissedAfter);
    ASSERT_EQ(of(fires, Outcome::fired).size(), 1U);
    EXPECT_EQ(of(fires, Outcome::fired)[0].fire_time, at("2026-02-01T01:00:00Z"));
    ASSERT_EQ(of(fires, Outcome::missed).size(), 1U);
    EXPECT_EQ(of(fires, Outcome::missed)[0].count, 59);
}

TEST(Plan, CatchUpNoneMissesEveryLateFire) {
    auto definition = every_minute();
    definition.catch_up = CatchUp::none;
    const auto fires = plan(armed(definition), at("2026-02-01T00:00:00Z"),
                            at("2026-02-01T01:00:30Z"), kMissedAfter);
    ASSERT_EQ(fires.size(), 1U);
    EXPECT_EQ(fires[0].outcome, Outcome::missed);
    EXPECT_EQ(fires[0].count, 60);
}

TEST(Plan, CatchUpAllMakesTheNewestUpToTheLimitInOrder) {
    auto definition = every_minute();
    definition.catch_up = CatchUp::all;
    definition.catch_up_limit = 3;
    const auto fires = plan(armed(definition), at("2026-02-01T00:00:00Z"),
                            at("2026-02-01T01:00:30Z"), kMissedAfter);
    const auto fired = of(fires, Outcome::fired);
    ASSERT_EQ(fired.size(), 3U);
    EXPECT_EQ(fired[0].fire_time, at("2026-02-01T00:58:00Z"));
    EXPECT_EQ(fired[2].fire_time, at("2026-02-01T01:00:00Z"));
    ASSERT_EQ(of(fires, Outcome::missed).size(), 1U);
    EXPECT_EQ(of(fires, Outcome::missed)[0].count, 57);
    EXPECT_THAT(of(fires, Outcome::missed)[0].reason, HasSubstr("over the catch-up limit"));
}

TEST(Plan, CatchUpWindowBoundsWhatIsMade) {
    auto definition = every_minute();
    definition.catch_up = CatchUp::all;
    definition.catch_up_window = minutes{10};
    const auto fires = plan(armed(definition), at("2026-02-01T00:00:00Z"),
                            at("2026-02-01T01:00:30Z"), kMissedAfter);
    EXPECT_EQ(of(fires, Outcome::fired).size(), 10U);
    ASSERT_EQ(of(fires, Outcome::missed).size(), 1U);
    EXPECT_EQ(of(fires, Outcome::missed)[0].count, 50);
    EXPECT_THAT(of(fires, Outcome::missed)[0].reason, HasSubstr("outside the catch-up window"));
}

TEST(Plan, CountsALongOutageInBoundedTime) {
    auto definition = every_minute();
    definition.spec = "* * * * * *";
    definition.catch_up_window = hours{1};
    const auto fires = plan(armed(definition), at("2026-01-01T00:00:00Z"),
                            at("2036-01-01T00:00:30Z"), kMissedAfter);
    const auto missed = of(fires, Outcome::missed);
    ASSERT_EQ(missed.size(), 2U);
    EXPECT_EQ(missed[0].count, 10'000);
    EXPECT_GE(missed[1].count, 3'570);
    EXPECT_EQ(of(fires, Outcome::fired).back().fire_time, at("2036-01-01T00:00:30Z"));
}

TEST(Plan, PausedSkipsAndSaysSo) {
    auto definition = every_minute();
    definition.paused = true;
    const auto fires = plan(armed(definition), at("2026-02-01T00:00:00Z"),
                            at("2026-02-01T00:05:00Z"), kMissedAfter);
    ASSERT_EQ(fires.size(), 1U);
    EXPECT_EQ(fires[0].outcome, Outcome::skipped);
    EXPECT_EQ(fires[0].reason, "paused");
    EXPECT_EQ(fires[0].count, 5);
}

TEST(Plan, JitterIsTheSameEverywhereAndWithinItsBound) {
    auto definition = every_minute();
    definition.jitter = minutes{5};
    const auto schedule = armed(definition);
    const auto same = armed(definition);
    std::set<Instant::duration> delays;
    for (int i = 0; i < 200; ++i) {
        const auto nominal = at("2026-02-01T00:00:00Z") + minutes{i};
        const auto delay = due_at(schedule, nominal) - nominal;
        EXPECT_EQ(due_at(same, nominal) - nominal, delay);
        EXPECT_GE(delay, seconds{0});
        EXPECT_LT(delay, definition.jitter);
        delays.insert(delay);
    }
    EXPECT_GT(delays.size(), 190U);
}

TEST(Plan, JitteredFiresAreEachDecidedOnce) {
    auto definition = every_minute();
    definition.jitter = minutes{5};
    const auto schedule = armed(definition, "2026-02-01T00:00:00Z");
    std::set<Instant> nominal;
    auto watermark = at("2026-02-01T00:00:00Z");
    const auto end = at("2026-02-01T03:00:00Z");
    while (watermark < end) {
        const auto due = next_due(schedule, watermark);
        ASSERT_TRUE(due && *due > watermark);
        const auto fires = plan(schedule, watermark, *due, kMissedAfter);
        ASSERT_FALSE(fires.empty());
        for (const auto& fire : fires) {
            EXPECT_EQ(fire.due_at, *due);
            EXPECT_TRUE(nominal.insert(fire.fire_time).second);
        }
        watermark = *due;
    }
    // What is due by now is decided: every minute but perhaps the last five.
    EXPECT_GE(nominal.size(), 175U);
    EXPECT_EQ(*nominal.begin(), at("2026-02-01T00:01:00Z"));
}

TEST(Plan, SaysThatAFireWasMovedByDaylightSaving) {
    auto definition = every_minute();
    definition.spec = "30 2 * * *";
    definition.time_zone = "America/New_York";
    const auto fires = plan(armed(definition, "2024-03-10T00:00:00Z"), at("2024-03-10T06:59:59Z"),
                            at("2024-03-10T07:00:00Z"), kMissedAfter);
    ASSERT_EQ(fires.size(), 1U);
    EXPECT_THAT(fires[0].reason, HasSubstr("skipped local time"));
}

TEST(ArmedSchedule, RefusesASpecThatItCannotRead) {
    auto definition = every_minute();
    definition.spec = "L * * * *";
    EXPECT_FALSE(ArmedSchedule::create(Uuid{}, definition, at("2026-01-01T00:00:00Z")));
}

TEST(DailyReport, ReportsOnTheDayBefore) {
    const auto definition = builtin_schedules().at(0);
    EXPECT_TRUE(faults_of(definition).empty());
    EXPECT_EQ(definition.queue, "reports");
    EXPECT_EQ(definition.type, "reports.daily");
    const auto schedule = armed(definition);
    EXPECT_EQ(next_due(schedule, at("2026-02-02T02:00:00Z")), at("2026-02-03T02:00:00Z"));
    EXPECT_EQ(
        payload_of(schedule, at("2026-02-03T02:00:00Z")),
        R"({"schedule":"daily-report","fireTime":"2026-02-03T02:00:00.000Z",)"
        R"("scheduledLocal":"2026-02-03T02:00:00+00:00","previousFire":"2026-02-02T02:00:00.000Z",)"
        R"("dataIntervalStart":"2026-02-02T00:00:00.000Z","dataIntervalEnd":"2026-02-03T00:00:00.000Z"})");
}

}  // namespace
}  // namespace gantry::scheduler
