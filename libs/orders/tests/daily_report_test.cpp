#include "daily_report.hpp"

#include "gantry/base/time.hpp"

#include <gtest/gtest.h>

namespace gantry::orders {
namespace {

const Instant kNow = parse_rfc3339("2026-03-01T02:00:03Z").value();

TEST(ReportDay, IsWhereTheScheduleSaysThatTheDataBegins) {
    EXPECT_EQ(report_day(R"({"dataIntervalStart":"2026-02-02T00:00:00.000Z",
                             "fireTime":"2026-02-03T02:00:00.000Z"})",
                         kNow)
                  .value(),
              "2026-02-02");
}

TEST(ReportDay, IsTheDayBeforeTheFire) {
    EXPECT_EQ(report_day(R"({"fireTime":"2026-02-03T02:00:00.000Z"})", kNow).value(), "2026-02-02");
}

TEST(ReportDay, IsYesterdayWithoutAPayload) {
    EXPECT_EQ(report_day("", kNow).value(), "2026-02-28");
    EXPECT_EQ(report_day("{}", kNow).value(), "2026-02-28");
    EXPECT_EQ(report_day("not json", kNow).value(), "2026-02-28");
    EXPECT_EQ(report_day(R"({"dataIntervalStart":null})", kNow).value(), "2026-02-28");
}

TEST(ReportDay, ATimeThatIsNoneIsRefused) {
    EXPECT_FALSE(report_day(R"({"dataIntervalStart":"yesterday"})", kNow));
    EXPECT_FALSE(report_day(R"({"fireTime":"2026-02-30T00:00:00Z"})", kNow));
}

}  // namespace
}  // namespace gantry::orders
