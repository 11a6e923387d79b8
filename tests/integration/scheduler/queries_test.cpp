#include "schedule_queries.hpp"
#include "support.hpp"

#include <gtest/gtest.h>

namespace gantry::scheduler {
namespace {

using namespace testing;

Deadline soon() {
    return Deadline::after(std::chrono::seconds{10});
}

TEST(ScheduleQueries, ReadBackWhatWasApplied) {
    const TestDatabase db;
    auto definition = every_second("full");
    definition.time_zone = "America/New_York";
    definition.dialect = "seconds";
    definition.jitter = milliseconds{1'500};
    definition.catch_up = CatchUp::all;
    definition.catch_up_limit = 7;
    definition.catch_up_window = std::chrono::minutes{90};
    definition.data_interval = DataInterval::previous_day;
    definition.key = "k";
    definition.payload = R"({"at":"{{fire_time}}"})";
    definition.max_attempts = 3;
    definition.paused = true;
    applied(db, {definition, every_second("plain")});

    metrics::Registry registry;
    postgres::Pool pool(db.options(), registry);
    ScheduleQueries queries(pool);
    const auto view = queries.get("full", soon()).value();
    EXPECT_EQ(to_json({view.row.definition}), to_json({definition}));
    EXPECT_EQ(view.row.owner, "file");
    EXPECT_EQ(view.row.version, 1);
    EXPECT_EQ(view.last_fire, std::nullopt);
    EXPECT_EQ(queries.get("none", soon()).error().code, Code::not_found);

    const auto page = queries.list("", 1, soon()).value();
    ASSERT_EQ(page.size(), 1U);
    EXPECT_EQ(page[0].row.definition.name, "full");
    EXPECT_EQ(queries.list("full", 10, soon()).value().at(0).row.definition.name, "plain");
}

TEST(ScheduleQueries, ListFiresNewestFirstInPages) {
    const TestDatabase db;
    applied(db, {every_second("fires")});
    {
        const Replica one(db);
        ASSERT_TRUE(reaches(db, kFired, 4));
    }
    metrics::Registry registry;
    postgres::Pool pool(db.options(), registry);
    ScheduleQueries queries(pool);
    const auto schedule = queries.get("fires", soon()).value();
    const auto first = queries.fires(schedule.row.id, std::nullopt, 2, soon()).value();
    ASSERT_EQ(first.size(), 2U);
    EXPECT_EQ(first[0].fire_time, schedule.last_fire);
    EXPECT_EQ(first[0].outcome, "fired");
    EXPECT_TRUE(first[0].job_id);
    const auto second = queries.fires(schedule.row.id, first[1].fire_time, 2, soon()).value();
    ASSERT_EQ(second.size(), 2U);
    EXPECT_EQ(second[0].fire_time, first[1].fire_time - std::chrono::seconds{1});
}

}  // namespace
}  // namespace gantry::scheduler
