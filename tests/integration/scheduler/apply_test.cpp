#include "support.hpp"
#include "upkeep.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace gantry::scheduler {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::Pair;

std::map<std::string, std::string> actions(const std::vector<AppliedSchedule>& applied) {
    std::map<std::string, std::string> out;
    for (const auto& one : applied) {
        out[one.name] = one.action;
    }
    return out;
}

std::string everything(const TestDatabase& db) {
    return db
        .exec("SELECT coalesce(json_agg(s ORDER BY s.name), '[]')::text FROM gantry.schedule s")
        .front()
        .get<std::string>(0);
}

TEST(Apply, TwiceChangesNothing) {
    const TestDatabase db;
    auto full = every_second("full");
    full.jitter = milliseconds{1'500};
    full.catch_up = CatchUp::all;
    full.catch_up_window = std::chrono::minutes{90};
    full.key = "k";
    full.payload = R"({"at":"{{fire_time}}"})";
    full.max_attempts = 3;
    const std::vector<Definition> all{every_second("plain"), full};
    EXPECT_THAT(actions(applied(db, all)),
                ElementsAre(Pair("full", "created"), Pair("plain", "created")));
    const auto before = everything(db);
    const auto revisions = number(db, "SELECT sum(revision)::bigint FROM gantry.schedule_shard");
    EXPECT_THAT(actions(applied(db, all)),
                ElementsAre(Pair("full", "unchanged"), Pair("plain", "unchanged")));
    EXPECT_EQ(everything(db), before);
    EXPECT_EQ(number(db, "SELECT sum(revision)::bigint FROM gantry.schedule_shard"), revisions);
}

TEST(Apply, UpdatesAndPrunesWhatItOwns) {
    const TestDatabase db;
    applied(db, {every_second("of-api")}, "api");
    applied(db, {every_second("a"), every_second("b"), every_second("c")});
    auto changed = every_second("b");
    changed.key = "k";
    changed.type = "gantry.echo";
    EXPECT_THAT(actions(applied(db, {every_second("a"), changed})),
                ElementsAre(Pair("a", "unchanged"), Pair("b", "updated"), Pair("c", "deleted")));
    // What a file no longer says goes back to nothing.
    EXPECT_THAT(actions(applied(db, {every_second("a"), every_second("b")})),
                ElementsAre(Pair("a", "unchanged"), Pair("b", "updated")));
    EXPECT_EQ(number(db,
                     "SELECT count(*) FROM gantry.schedule WHERE name = 'b' AND key IS NULL AND "
                     "version = 3"),
              1);
    EXPECT_EQ(number(db, "SELECT count(*) FROM gantry.schedule WHERE name = 'of-api'"), 1);
}

TEST(Apply, KeepsAScheduleOfAnotherOwner) {
    const TestDatabase db;
    applied(db, {every_second("shared")}, "api");
    const auto before = everything(db);
    auto other = every_second("shared");
    other.type = "gantry.echo";
    EXPECT_THAT(actions(applied(db, {other})), ElementsAre(Pair("shared", "kept")));
    EXPECT_THAT(actions(applied(db, {})), ElementsAre());
    EXPECT_EQ(everything(db), before);
}

TEST(Apply, LeavesAPauseAloneUnlessTheFileSpeaksOfIt) {
    const TestDatabase db;
    auto definition = every_second("paused");
    applied(db, {definition});
    db.exec("SELECT gantry.schedule_pause('paused', true, 'by hand')");
    EXPECT_THAT(actions(applied(db, {definition})), ElementsAre(Pair("paused", "unchanged")));
    EXPECT_EQ(
        number(db, "SELECT count(*) FROM gantry.schedule WHERE paused AND pause_note = 'by hand'"),
        1);
    definition.paused = false;
    EXPECT_THAT(actions(applied(db, {definition})), ElementsAre(Pair("paused", "updated")));
    EXPECT_EQ(
        number(db, "SELECT count(*) FROM gantry.schedule WHERE NOT paused AND pause_note = ''"), 1);
}

TEST(Apply, ManyAtOnceAgree) {
    const TestDatabase db;
    std::vector<Definition> all;
    for (int i = 0; i < 40; ++i) {
        all.push_back(every_second("s-" + std::to_string(i)));
    }
    {
        std::vector<std::jthread> appliers;
        for (int i = 0; i < 4; ++i) {
            appliers.emplace_back([&] { applied(db, all); });
        }
    }
    EXPECT_EQ(number(db, "SELECT count(*) FROM gantry.schedule WHERE version = 1"), 40);
}

TEST(ApplySchedules, MakesTheDailyReportUnlessTheFileHasIt) {
    const TestDatabase db;
    metrics::Registry registry;
    postgres::Pool pool(db.options(), registry);
    Store store(pool);
    const auto deadline = [] { return Deadline::after(std::chrono::seconds{10}); };
    const auto report =
        "SELECT owner || ' ' || spec || ' ' || queue || ' ' || type FROM gantry.schedule "
        "WHERE name = 'daily-report'";

    apply_schedules(store, std::nullopt, deadline()).value();
    EXPECT_EQ(db.exec(report).front().get<std::string>(0),
              "builtin 0 2 * * * reports reports.daily");

    auto own = builtin_schedules().at(0);
    own.spec = "30 3 * * *";
    std::vector<Definition> file{own, every_second("heartbeat")};
    apply_schedules(store, file, deadline()).value();
    EXPECT_EQ(db.exec(report).front().get<std::string>(0), "file 30 3 * * * reports reports.daily");

    // A replica without the file leaves the file's schedules alone.
    apply_schedules(store, std::nullopt, deadline()).value();
    EXPECT_EQ(db.exec(report).front().get<std::string>(0), "file 30 3 * * * reports reports.daily");

    file = {every_second("heartbeat")};
    apply_schedules(store, file, deadline()).value();
    EXPECT_EQ(db.exec(report).front().get<std::string>(0),
              "builtin 0 2 * * * reports reports.daily");
}

TEST(Store, MaintainsPartitions) {
    const TestDatabase db;
    metrics::Registry registry;
    postgres::Pool pool(db.options(), registry);
    db.exec("SELECT gantry.make_partition('fire', 'fire_time', 'time', 100, current_date - 60)");
    EXPECT_TRUE(Store(pool).maintain(Deadline::after(std::chrono::seconds{10})));
    EXPECT_EQ(
        number(db,
               "SELECT count(*) FROM gantry.partition_days('fire') WHERE day < current_date - 31"),
        0);
    EXPECT_GE(
        number(db, "SELECT count(*) FROM gantry.partition_days('fire') WHERE day > current_date"),
        7);
}

}  // namespace
}  // namespace gantry::scheduler
