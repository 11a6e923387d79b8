#include "support.hpp"

#include <gtest/gtest.h>

namespace gantry::cron {
namespace {

std::string meaning(std::string_view text) {
    return testing::schedule(text).describe();
}

TEST(Describe, SaysClockTimes) {
    EXPECT_EQ(meaning("0 2 * * *"), "at 02:00 every day");
    EXPECT_EQ(meaning("30 9,17 * * *"), "at 09:30 and 17:30 every day");
    EXPECT_EQ(meaning("5 0 2 * * *"), "at 02:00:05 every day");
}

TEST(Describe, SaysPeriods) {
    EXPECT_EQ(meaning("* * * * *"), "every minute");
    EXPECT_EQ(meaning("*/5 * * * * *"), "every 5 seconds");
    EXPECT_EQ(meaning("*/15 * * * *"), "every 15 minutes");
    EXPECT_EQ(meaning("@hourly"), "every hour");
    EXPECT_EQ(meaning("0 */6 * * *"), "at 00:00, 06:00, 12:00 and 18:00 every day");
    EXPECT_EQ(meaning("0 */3 * * *"), "every 3 hours");
    EXPECT_EQ(meaning("5 * * * *"), "at minute 5 every day");
    EXPECT_EQ(meaning("*/10 9-17 * * *"), "every 10 minutes during hour 9 to 17");
    EXPECT_EQ(meaning("@every 90s"), "every 1m30s, counted from 1970-01-01T00:00:00Z");
}

TEST(Describe, SaysDaysAndMonths) {
    EXPECT_EQ(meaning("0 2 * * MON-FRI"), "at 02:00, on Monday to Friday");
    EXPECT_EQ(meaning("0 0 1,15 * *"), "at 00:00, on day 1 and 15 of the month");
    EXPECT_EQ(meaning("0 0 13 * FRI"), "at 00:00, on day 13 of the month or on Friday");
    EXPECT_EQ(meaning("@yearly"), "at 00:00, on day 1 of the month in January");
}

}  // namespace
}  // namespace gantry::cron
