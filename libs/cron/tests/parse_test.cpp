#include "support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gantry::cron {
namespace {

using ::testing::HasSubstr;
using testing::schedule;

struct BadSpec {
    std::string text;
    Dialect dialect;
    std::string field;
    std::string named;    // the offending text, as the error has to quote it
    std::string allowed;  // what the error has to offer
};

class BadSpecs : public ::testing::TestWithParam<BadSpec> {};

TEST_P(BadSpecs, AreRefusedNamingFieldTextAndWhatIsAllowed) {
    const auto& bad = GetParam();
    const auto parsed = Schedule::parse(bad.text, bad.dialect);
    ASSERT_FALSE(parsed) << bad.text;
    EXPECT_EQ(parsed.error().code, Code::invalid_argument);
    ASSERT_EQ(parsed.error().fields.size(), 1U);
    EXPECT_EQ(parsed.error().fields[0].field, bad.field);
    EXPECT_THAT(parsed.error().fields[0].description, HasSubstr("\"" + bad.named + "\""));
    EXPECT_THAT(parsed.error().fields[0].description, HasSubstr(bad.allowed));
    EXPECT_THAT(parsed.error().message, HasSubstr(bad.field));
}

constexpr auto kAny = Dialect::automatic;
constexpr auto kFive = Dialect::standard;
constexpr auto kSix = Dialect::seconds;

INSTANTIATE_TEST_SUITE_P(
    Table, BadSpecs,
    ::testing::Values(
        BadSpec{"", kAny, "expression", "", "five fields"},
        BadSpec{" \t ", kAny, "expression", "", "five fields"},
        BadSpec{"* * * *", kAny, "expression", "* * * *", "five are needed"},
        BadSpec{"* * * * * * *", kAny, "expression", "* * * * * * *", "five are needed"},
        BadSpec{"* * * * * *", kFive, "expression", "* * * * * *", "minute hour"},
        BadSpec{"* * * * *", kSix, "expression", "* * * * *", "second minute"},
        BadSpec{"60 * * * *", kAny, "minute", "60", "0-59"},
        BadSpec{"-1 * * * *", kAny, "minute", "-1", "0-59"},
        BadSpec{"1.5 * * * *", kAny, "minute", "1.5", "0-59"},
        BadSpec{"99999999999 * * * *", kAny, "minute", "99999999999", "0-59"},
        BadSpec{"+5 * * * *", kAny, "minute", "+5", "0-59"},
        BadSpec{"0x5 * * * *", kAny, "minute", "0x5", "0-59"},
        BadSpec{"* 24 * * *", kAny, "hour", "24", "0-23"},
        BadSpec{"* x * * *", kAny, "hour", "x", "0-23"},
        BadSpec{"* 5- * * *", kAny, "hour", "5-", "0-23"},
        BadSpec{"* -5 * * *", kAny, "hour", "-5", "0-23"},
        BadSpec{"* 1-2-3 * * *", kAny, "hour", "1-2-3", "0-23"},
        BadSpec{"* 1,,2 * * *", kAny, "hour", "", "0-23"},
        BadSpec{"* 1, * * *", kAny, "hour", "", "0-23"},
        BadSpec{"* , * * *", kAny, "hour", "", "0-23"},
        BadSpec{"* * 0 * *", kAny, "day-of-month", "0", "1-31"},
        BadSpec{"* * 32 * *", kAny, "day-of-month", "32", "1-31"},
        BadSpec{"* * L * *", kAny, "day-of-month", "L", "1-31"},
        BadSpec{"* * ? * *", kAny, "day-of-month", "?", "1-31"},
        BadSpec{"* * 15W * *", kAny, "day-of-month", "15W", "1-31"},
        BadSpec{"* * * 0 *", kAny, "month", "0", "JAN-DEC"},
        BadSpec{"* * * 13 *", kAny, "month", "13", "1-12"},
        BadSpec{"* * * JANUARY *", kAny, "month", "JANUARY", "JAN-DEC"},
        BadSpec{"* * * MON *", kAny, "month", "MON", "JAN-DEC"},
        BadSpec{"* * * * 8", kAny, "day-of-week", "8", "SUN-SAT"},
        BadSpec{"* * * * JAN", kAny, "day-of-week", "JAN", "SUN-SAT"},
        BadSpec{"* * * * MON-", kAny, "day-of-week", "MON-", "SUN-SAT"},
        BadSpec{"* * * * FRI#2", kAny, "day-of-week", "FRI#2", "SUN-SAT"},
        BadSpec{"*/0 * * * *", kAny, "minute", "*/0", "step of 1-59"},
        BadSpec{"*/60 * * * *", kAny, "minute", "*/60", "step of 1-59"},
        BadSpec{"*/ * * * *", kAny, "minute", "*/", "step of 1-59"},
        BadSpec{"*/-5 * * * *", kAny, "minute", "*/-5", "step of 1-59"},
        BadSpec{"*/5/5 * * * *", kAny, "minute", "*/5/5", "step of 1-59"},
        BadSpec{"** * * * *", kAny, "minute", "**", "0-59"},
        BadSpec{"*-5 * * * *", kAny, "minute", "*-5", "0-59"},
        BadSpec{"* */24 * * *", kAny, "hour", "*/24", "step of 1-23"},
        BadSpec{"60 * * * * *", kAny, "second", "60", "0-59"},
        BadSpec{"*/5s * * * * *", kSix, "second", "*/5s", "step of 1-59"},
        BadSpec{"0 0 30 2 *", kAny, "day-of-month", "0 0 30 2 *", "can never fire"},
        BadSpec{"0 0 31 4,6,9,11 *", kAny, "day-of-month", "0 0 31 4,6,9,11 *", "can never fire"},
        BadSpec{"@reboot", kAny, "expression", "@reboot", "@hourly"},
        BadSpec{"@", kAny, "expression", "@", "@hourly"},
        BadSpec{"@daily 5", kAny, "expression", "@daily 5", "@daily"},
        BadSpec{"@every", kAny, "expression", "@every", "@every 90s"},
        BadSpec{"@every 90", kAny, "expression", "@every 90", "whole seconds"},
        BadSpec{"@every 0s", kAny, "expression", "@every 0s", "from 1s"},
        BadSpec{"@every 1500ms", kAny, "expression", "@every 1500ms", "whole seconds"},
        BadSpec{"@every 400d", kAny, "expression", "@every 400d", "366d"},
        BadSpec{"0 0 * * *\n", kAny, "day-of-week", "*?", "SUN-SAT"},
        BadSpec{"0 0 * * \xC3\xA4", kAny, "day-of-week", "??", "SUN-SAT"}));

TEST(Parse, RefusesAnExpressionThatIsTooLongWithoutRepeatingItAll) {
    const auto parsed = Schedule::parse(std::string(10'000, '*'));
    ASSERT_FALSE(parsed);
    EXPECT_THAT(parsed.error().message, HasSubstr("longer than 256 characters"));
    EXPECT_LT(parsed.error().message.size(), 200U);
}

TEST(Parse, ReadsNamesInAnyCase) {
    EXPECT_EQ(schedule("0 0 * jan-Mar mon"), schedule("0 0 * 1-3 1"));
    EXPECT_EQ(schedule("0 0 * * SUN,tue,Sat"), schedule("0 0 * * 0,2,6"));
}

TEST(Parse, TakesSundayAsZeroAndSeven) {
    EXPECT_EQ(schedule("0 0 * * 7"), schedule("0 0 * * 0"));
    EXPECT_EQ(schedule("0 0 * * 5-7"), schedule("0 0 * * 5,6,0"));
    EXPECT_EQ(schedule("0 0 * * 0-7"), schedule("0 0 * * 0-6"));
    EXPECT_EQ(schedule("0 0 * * 7-2"), schedule("0 0 * * 0,1,2"));
}

TEST(Parse, WrapsRangesAroundTheEnd) {
    EXPECT_EQ(schedule("0 22-2 * * *"), schedule("0 22,23,0,1,2 * * *"));
    EXPECT_EQ(schedule("0 22-4/2 * * *"), schedule("0 22,0,2,4 * * *"));
    EXPECT_EQ(schedule("0 0 * * FRI-MON"), schedule("0 0 * * 5,6,0,1"));
    EXPECT_EQ(schedule("0 0 * NOV-FEB *"), schedule("0 0 * 11,12,1,2 *"));
    EXPECT_EQ(schedule("0 0 30-2 * *"), schedule("0 0 30,31,1,2 * *"));
}

TEST(Parse, ReadsStepsOfARangeOfAStarAndOfAStart) {
    EXPECT_EQ(schedule("10-30/10 0 * * *"), schedule("10,20,30 0 * * *"));
    EXPECT_EQ(schedule("50/4 0 * * *"), schedule("50,54,58 0 * * *"));
    EXPECT_EQ(schedule("0 0 1 1/5 *"), schedule("0 0 1 1,6,11 *"));
}

TEST(Parse, ReadsMacrosInAnyCaseAndInEveryDialect) {
    EXPECT_EQ(schedule("@hourly"), schedule("0 * * * *"));
    EXPECT_EQ(schedule("@Daily", Dialect::seconds), schedule("0 0 * * *"));
    EXPECT_EQ(schedule("@midnight", Dialect::standard), schedule("0 0 * * *"));
    EXPECT_EQ(schedule("@weekly"), schedule("0 0 * * SUN"));
    EXPECT_EQ(schedule("@monthly"), schedule("0 0 1 * *"));
    EXPECT_EQ(schedule("@yearly"), schedule("0 0 1 1 *"));
    EXPECT_EQ(schedule("@ANNUALLY"), schedule("@yearly"));
}

TEST(Parse, KeepsTheTextWithoutTheSpaceAroundIt) {
    EXPECT_EQ(schedule("  0 2 * * *\t").text(), "0 2 * * *");
    EXPECT_EQ(schedule("0 \t 2 * * *"), schedule("0 2 * * *"));
}

TEST(Parse, AcceptsWhatFiresRarely) {
    EXPECT_TRUE(Schedule::parse("0 0 29 2 *"));
    EXPECT_TRUE(Schedule::parse("0 0 31 * *"));
    EXPECT_TRUE(Schedule::parse("0 0 30 2 MON"));  // the Mondays of February
    EXPECT_TRUE(Schedule::parse("0 0 29 2 */6"));  // a 29 February on a weekend
}

TEST(TimeZone, RefusesNamesOutsideTheDatabase) {
    for (const auto* name :
         {"", "Mars/Olympus", "localtime", "/etc/passwd", "../etc/passwd", "Europe/Berlin\n"}) {
        const auto loaded = TimeZone::load(name);
        ASSERT_FALSE(loaded) << name;
        EXPECT_EQ(loaded.error().fields[0].field, "time_zone");
    }
    EXPECT_TRUE(TimeZone::load("UTC"));
    EXPECT_TRUE(TimeZone::load("America/Argentina/Buenos_Aires"));
}

TEST(Dialect, IsReadByName) {
    EXPECT_EQ(parse_dialect("seconds"), Dialect::seconds);
    EXPECT_EQ(parse_dialect("standard"), Dialect::standard);
    EXPECT_FALSE(parse_dialect("quartz"));
}

}  // namespace
}  // namespace gantry::cron
