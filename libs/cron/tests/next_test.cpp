#include "support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace gantry::cron {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::at;
using ::testing::ElementsAre;
using testing::fires;
using testing::schedule;

TEST(Next, IsStrictlyLater) {
    const auto daily = schedule("0 2 * * *");
    const auto utc = TimeZone::utc();
    EXPECT_EQ(daily.next_after(at("2026-02-03T01:59:59.999Z"), utc), at("2026-02-03T02:00:00Z"));
    EXPECT_EQ(daily.next_after(at("2026-02-03T02:00:00Z"), utc), at("2026-02-04T02:00:00Z"));
    EXPECT_EQ(daily.next_after(at("2026-02-03T02:00:00.001Z"), utc), at("2026-02-04T02:00:00Z"));
}

TEST(Next, JumpsOverFields) {
    EXPECT_THAT(fires("30 4 1 1 *", "2026-01-01T04:30:00Z", 1),
                ElementsAre("2027-01-01T04:30:00+00:00"));
    EXPECT_THAT(fires("59 23 31 12 *", "2026-12-31T23:58:00Z", 2),
                ElementsAre("2026-12-31T23:59:00+00:00", "2027-12-31T23:59:00+00:00"));
    EXPECT_THAT(fires("15,45 9-10 * * MON-FRI", "2026-01-02T10:20:00Z", 3),
                ElementsAre("2026-01-02T10:45:00+00:00", "2026-01-05T09:15:00+00:00",
                            "2026-01-05T09:45:00+00:00"));
}

TEST(Next, ReadsSecondsInSixFields) {
    EXPECT_THAT(fires("*/5 * * * * *", "2026-01-01T00:00:52Z", 3),
                ElementsAre("2026-01-01T00:00:55+00:00", "2026-01-01T00:01:00+00:00",
                            "2026-01-01T00:01:05+00:00"));
    EXPECT_THAT(fires("58 59 23 31 12 *", "2026-01-01T00:00:00Z", 1),
                ElementsAre("2026-12-31T23:59:58+00:00"));
}

TEST(Next, FindsLeapYears) {
    EXPECT_THAT(fires("0 0 29 2 *", "2096-02-29T00:00:00Z", 2),
                ElementsAre("2104-02-29T00:00:00+00:00", "2108-02-29T00:00:00+00:00"));
}

TEST(Next, TakesEitherDayWhenBothAreRestricted) {
    EXPECT_THAT(fires("0 0 13 * FRI", "2026-01-31T00:00:00Z", 4),
                ElementsAre("2026-02-06T00:00:00+00:00", "2026-02-13T00:00:00+00:00",
                            "2026-02-20T00:00:00+00:00", "2026-02-27T00:00:00+00:00"));
    EXPECT_THAT(fires("0 0 1,15 * WED", "2026-01-01T00:00:00Z", 3),
                ElementsAre("2026-01-07T00:00:00+00:00", "2026-01-14T00:00:00+00:00",
                            "2026-01-15T00:00:00+00:00"));
}

TEST(Next, NeedsBothDaysWhenOneBeginsWithAStar) {
    EXPECT_THAT(fires("0 0 */2 * SUN", "2026-02-01T00:00:00Z", 2),
                ElementsAre("2026-02-15T00:00:00+00:00", "2026-03-01T00:00:00+00:00"));
}

TEST(Next, CountsEveryFromTheEpochWhateverTheZone) {
    EXPECT_THAT(fires("@every 90s", "2026-01-01T00:00:00Z", 2),
                ElementsAre("2026-01-01T00:01:30+00:00", "2026-01-01T00:03:00+00:00"));
    EXPECT_THAT(fires("@every 1h30m", "2026-03-29T00:00:00Z", 2, testing::zone("Europe/Berlin")),
                ElementsAre("2026-03-29T03:30:00+02:00", "2026-03-29T05:00:00+02:00"));
    EXPECT_EQ(schedule("@every 7s").next_after(at("1969-12-31T23:59:50Z"), TimeZone::utc()),
              at("1969-12-31T23:59:53Z"));
}

TEST(Next, EndsBeforeTheClockDoes) {
    const auto yearly = schedule("@yearly");
    EXPECT_EQ(yearly.next_after(at("2261-06-01T00:00:00Z"), TimeZone::utc()), std::nullopt);
    EXPECT_EQ(yearly.next_after(Instant::max(), TimeZone::utc()), std::nullopt);
    EXPECT_EQ(yearly.next_after(Instant::min(), TimeZone::utc()), at("1701-01-01T00:00:00Z"));
    EXPECT_EQ(schedule("@every 366d").next_after(at("2261-12-31T00:00:00Z"), TimeZone::utc()),
              std::nullopt);
}

TEST(Previous, IsTheLastFireStrictlyBefore) {
    const auto daily = schedule("0 2 * * *");
    const auto utc = TimeZone::utc();
    EXPECT_EQ(daily.previous_before(at("2026-02-03T02:00:00Z"), utc), at("2026-02-02T02:00:00Z"));
    EXPECT_EQ(daily.previous_before(at("2026-02-03T02:00:00.001Z"), utc),
              at("2026-02-03T02:00:00Z"));
    EXPECT_EQ(schedule("0 0 29 2 *").previous_before(at("2026-02-03T02:00:00Z"), utc),
              at("2024-02-29T00:00:00Z"));
    EXPECT_EQ(schedule("@yearly").previous_before(at("1700-01-01T00:00:01Z"), utc), std::nullopt);
}

// The plain definition, second by second, against the jumping search.
TEST(Next, AgreesWithTryingEverySecond) {
    const auto utc = TimeZone::utc();
    std::mt19937 random{7};
    for (const auto* text : {"*/7 3-50/9 * * * *", "5 0 */6 * * *", "0,59 59 23 * * *",
                             "30 29 12 28-2 * *", "0 */13 22-1 * * SAT-MON", "1 1 1 1 * TUE"}) {
        const auto parsed = schedule(text);
        for (int trial = 0; trial < 20; ++trial) {
            const auto start = at("2024-01-01T00:00:00Z") + seconds{random() % (366 * 86'400U)};
            const auto next = parsed.next_after(start, utc);
            ASSERT_TRUE(next);
            const auto end = std::min(*next, start + std::chrono::hours{2});
            for (auto probe = start + seconds{1}; probe < end; probe += seconds{1}) {
                ASSERT_TRUE(parsed.moved_by_transition(probe, utc))
                    << text << " missed " << format_rfc3339(probe) << " after "
                    << format_rfc3339(start);
            }
            ASSERT_FALSE(parsed.moved_by_transition(*next, utc))
                << text << " " << format_rfc3339(*next);
            ASSERT_EQ(parsed.previous_before(*next + milliseconds{1}, utc), *next);
        }
    }
}

}  // namespace
}  // namespace gantry::cron
