#include "support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <absl/time/civil_time.h>

#include <set>
#include <utility>

namespace gantry::cron {
namespace {

using testing::at;
using ::testing::ElementsAre;
using testing::fires;
using testing::schedule;
using testing::zone;

TEST(Transition, FixedTimeInAGapFiresOnceAtTheTransition) {
    EXPECT_THAT(fires("30 2 * * *", "2024-03-09T12:00:00-05:00", 3, zone("America/New_York")),
                ElementsAre("2024-03-10T03:00:00-04:00", "2024-03-11T02:30:00-04:00",
                            "2024-03-12T02:30:00-04:00"));
}

TEST(Transition, SeveralFixedTimesInAGapCoalesce) {
    EXPECT_THAT(
        fires("0,15,30 2,3 * * *", "2024-03-09T12:00:00-05:00", 3, zone("America/New_York")),
        ElementsAre("2024-03-10T03:00:00-04:00", "2024-03-10T03:15:00-04:00",
                    "2024-03-10T03:30:00-04:00"));
}

TEST(Transition, SaysWhichFireWasMoved) {
    const auto new_york = zone("America/New_York");
    const auto half_past_two = schedule("30 2 * * *");
    EXPECT_TRUE(half_past_two.moved_by_transition(at("2024-03-10T03:00:00-04:00"), new_york));
    EXPECT_FALSE(half_past_two.moved_by_transition(at("2024-03-11T02:30:00-04:00"), new_york));
}

TEST(Transition, FixedTimeInAnOverlapFiresInTheFirstCopyOnly) {
    EXPECT_THAT(fires("30 1 * * *", "2024-11-02T12:00:00-04:00", 2, zone("America/New_York")),
                ElementsAre("2024-11-03T01:30:00-04:00", "2024-11-04T01:30:00-05:00"));
    // Also when asked from inside the second copy.
    EXPECT_THAT(fires("0-59 1 * * *", "2024-11-03T01:10:00-05:00", 1, zone("America/New_York")),
                ElementsAre("2024-11-04T01:00:00-05:00"));
    EXPECT_THAT(fires("0 1,2 * * *", "2024-11-03T01:10:00-05:00", 1, zone("America/New_York")),
                ElementsAre("2024-11-03T02:00:00-05:00"));
}

TEST(Transition, WildcardMinutesFollowElapsedTime) {
    const auto new_york = zone("America/New_York");
    const auto every_twenty = schedule("*/20 * * * *");
    auto now = at("2024-11-03T00:00:00-04:00");
    for (int i = 0; i < 24 * 3; ++i) {
        const auto next = every_twenty.next_after(now, new_york);
        ASSERT_EQ(next, now + std::chrono::minutes{20});
        now = *next;
    }
    now = at("2024-03-10T00:00:00-05:00");
    for (int i = 0; i < 24 * 3; ++i) {
        const auto next = every_twenty.next_after(now, new_york);
        ASSERT_EQ(next, now + std::chrono::minutes{20});
        now = *next;
    }
}

TEST(Transition, WildcardHoursFireInBothCopies) {
    EXPECT_THAT(fires("0 * * * *", "2024-11-03T00:00:00-04:00", 4, zone("America/New_York")),
                ElementsAre("2024-11-03T01:00:00-04:00", "2024-11-03T01:00:00-05:00",
                            "2024-11-03T02:00:00-05:00", "2024-11-03T03:00:00-05:00"));
    EXPECT_THAT(fires("0 * * * *", "2024-03-10T00:30:00-05:00", 3, zone("America/New_York")),
                ElementsAre("2024-03-10T01:00:00-05:00", "2024-03-10T03:00:00-04:00",
                            "2024-03-10T04:00:00-04:00"));
    EXPECT_THAT(fires("*/15 2 * * *", "2024-03-10T00:00:00-05:00", 1, zone("America/New_York")),
                ElementsAre("2024-03-11T02:00:00-04:00"));
}

TEST(Transition, ADayThatAZoneDropsDoesNotFire) {
    EXPECT_THAT(fires("0 0 12 * * *", "2011-12-28T12:00:00-10:00", 3, zone("Pacific/Apia")),
                ElementsAre("2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00",
                            "2012-01-01T12:00:00+14:00"));
    EXPECT_THAT(fires("0 0 30 * *", "2011-12-28T12:00:00-10:00", 1, zone("Pacific/Apia")),
                ElementsAre("2012-01-30T00:00:00+14:00"));
}

TEST(Transition, MidnightThatDoesNotExistFiresWhenTheDayBegins) {
    // Brazil moved its clocks at midnight.
    EXPECT_THAT(fires("0 0 * * *", "2018-11-03T12:00:00-03:00", 2, zone("America/Sao_Paulo")),
                ElementsAre("2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"));
}

TEST(Transition, HalfHourShiftsAreNoDifferent) {
    EXPECT_THAT(fires("15 2 * * *", "2024-10-05T12:00:00+10:30", 2, zone("Australia/Lord_Howe")),
                ElementsAre("2024-10-06T02:30:00+11:00", "2024-10-07T02:15:00+11:00"));
    EXPECT_THAT(fires("*/30 * * * *", "2024-04-07T01:30:00+11:00", 2, zone("Australia/Lord_Howe")),
                ElementsAre("2024-04-07T01:30:00+10:30", "2024-04-07T02:00:00+10:30"));
}

TEST(Transition, HoldsFarInTheFuture) {
    EXPECT_THAT(fires("30 2 * * *", "2099-03-07T12:00:00-05:00", 1, zone("America/New_York")),
                ElementsAre("2099-03-08T03:00:00-04:00"));
}

TEST(Transition, FiresNeverGoBackInAnyZone) {
    for (const auto* name :
         {"America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Tehran",
          "Africa/Casablanca", "Pacific/Apia", "Antarctica/Troll", "America/St_Johns"}) {
        const auto in_zone = zone(name);
        for (const auto* text :
             {"30 2 * * *", "*/17 * * * *", "0 0-23 * * *", "0 3 * * SUN", "1-59/7 1-3 * * *"}) {
            const auto parsed = schedule(text);
            auto now = at("2010-01-01T00:00:00Z");
            for (int i = 0; i < 3000; ++i) {
                const auto next = parsed.next_after(now, in_zone);
                ASSERT_TRUE(next && *next > now)
                    << name << " " << text << " " << format_rfc3339(now);
                ASSERT_EQ(parsed.next_after(*next - std::chrono::seconds{1}, in_zone), *next)
                    << name << " " << text << " " << format_rfc3339(*next);
                now = *next;
            }
        }
    }
}

// The rule as it is worded, walked minute by minute through four years, against the jumping search.
TEST(Transition, AgreesWithTheRuleMinuteByMinute) {
    const auto civil = [](absl::CivilMinute at) { return absl::CivilSecond(at); };
    const auto is_half_past_one_two_or_three = [](absl::CivilMinute at) {
        return at.minute() == 30 && at.hour() >= 1 && at.hour() <= 3;
    };
    const auto is_third_of_an_hour = [](absl::CivilMinute at) { return at.minute() % 20 == 0; };
    for (const auto* name : {"America/New_York", "Europe/London", "Australia/Lord_Howe",
                             "Pacific/Apia", "Africa/Casablanca", "Antarctica/Troll"}) {
        const auto in_zone = zone(name);
        std::set<absl::Time> fixed;
        std::set<absl::Time> elapsed;
        const absl::CivilMinute end{2014, 1, 1, 0, 0};
        for (absl::CivilMinute minute{2010, 1, 1, 0, 0}; minute < end; ++minute) {
            const auto info = in_zone.absl().At(civil(minute));
            const bool skipped = info.kind == absl::TimeZone::TimeInfo::SKIPPED;
            if (is_half_past_one_two_or_three(minute) &&
                !(skipped && info.pre - info.post > absl::Hours(3))) {
                fixed.insert(skipped ? info.trans : info.pre);
            }
            if (is_third_of_an_hour(minute) && !skipped) {
                elapsed.insert({info.pre, info.post});
            }
        }
        for (const auto& [text, expected] :
             {std::pair{"30 1-3 * * *", &fixed}, std::pair{"*/20 * * * *", &elapsed}}) {
            const auto parsed = schedule(text);
            auto now = absl::ToChronoTime(*expected->begin() - absl::Seconds(1));
            for (const auto& fire : *expected) {
                const auto next = parsed.next_after(now, in_zone);
                ASSERT_EQ(next, absl::ToChronoTime(fire)) << name << " " << text;
                now = *next;
            }
        }
    }
}

TEST(TimeZone, DayBeginsWhereMidnightIsSkipped) {
    EXPECT_EQ(zone("America/Sao_Paulo").start_of_day(at("2018-11-04T12:00:00-02:00")),
              at("2018-11-04T01:00:00-02:00"));
    EXPECT_EQ(zone("Europe/Berlin").start_of_day(at("2026-03-30T02:00:00+02:00"), -1),
              at("2026-03-29T00:00:00+01:00"));
}

}  // namespace
}  // namespace gantry::cron
