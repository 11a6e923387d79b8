#include "schedule_api.hpp"

#include "gantry/base/time.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gantry::scheduler {
namespace {

using ::testing::HasSubstr;

const Instant kNow = parse_rfc3339("2024-03-09T17:00:00Z").value();

TEST(Preview, ShowsTheNextFiresAndLabelsTheMovedOne) {
    v1::PreviewRequest request;
    request.set_spec("30 2 * * *");
    request.set_time_zone("America/New_York");
    request.set_count(2);
    const auto shown = preview(request, kNow);
    ASSERT_TRUE(shown);
    EXPECT_EQ(shown->description(), "at 02:30 every day");
    ASSERT_EQ(shown->fires_size(), 2);
    EXPECT_EQ(shown->fires(0).local_time(), "2024-03-10T03:00:00-04:00");
    EXPECT_THAT(shown->fires(0).note(), HasSubstr("skipped local time"));
    EXPECT_EQ(shown->fires(1).local_time(), "2024-03-11T02:30:00-04:00");
    EXPECT_EQ(shown->fires(1).note(), "");
    EXPECT_EQ(shown->fire_times_size(), 2);
}

TEST(Preview, ReportsEveryFaultByItsField) {
    v1::PreviewRequest request;
    request.set_spec("0 25 * * *");
    request.set_time_zone("Mars/Olympus");
    request.set_count(1'000);
    request.set_dialect("quartz");
    request.mutable_after()->set_seconds(99'999'999'999);
    const auto shown = preview(request, kNow);
    ASSERT_FALSE(shown);
    EXPECT_EQ(shown.error().code, Code::invalid_argument);
    std::vector<std::string> fields;
    for (const auto& fault : shown.error().fields) {
        fields.push_back(fault.field);
    }
    EXPECT_THAT(fields,
                ::testing::UnorderedElementsAre("spec", "time_zone", "count", "dialect", "after"));
}

TEST(ToProto, TellsTheNextFireUnlessPaused) {
    ScheduleView view;
    view.row.definition = builtin_schedules().at(0);
    view.row.definition.paused = false;
    view.row.armed_from = kNow;
    const auto next = to_proto(view, kNow).next_fire_time().seconds();
    EXPECT_EQ(next, std::chrono::duration_cast<std::chrono::seconds>(
                        parse_rfc3339("2024-03-10T02:00:00Z").value().time_since_epoch())
                        .count());
    view.row.definition.paused = true;
    EXPECT_FALSE(to_proto(view, kNow).has_next_fire_time());
}

}  // namespace
}  // namespace gantry::scheduler
