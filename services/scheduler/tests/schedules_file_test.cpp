#include "schedules_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace gantry::scheduler {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> faults(std::string_view text) {
    std::vector<std::string> out;
    for (const auto& fault : parse_schedules(text, "test.yaml").faults) {
        EXPECT_EQ(fault.key, "scheduler.schedules_file");
        out.push_back(fault.source + ": " + fault.problem);
    }
    return out;
}

TEST(SchedulesFile, ReadsEverySetting) {
    const auto file = parse_schedules(R"(
schedules:
  - name: heartbeat
    spec: "*/5 * * * * *"
    dialect: seconds
    time_zone: Europe/Berlin
    jitter: 2s
    catch_up: {policy: all, limit: 7, window: 2h}
    data_interval: previous_day
    paused: true
    job:
      queue: default
      type: gantry.echo
      key: beat
      max_attempts: 3
      payload: {at: "{{fire_time}}", n: 5, ok: true, none: null, quoted: "7", list: [a, 1.5]}
  - name: tick
    spec: "@every 3s"
    catch_up: none
    event: {topic: gantry.events.ticks, type: tick}
)",
                                      "test.yaml");
    EXPECT_THAT(file.faults, IsEmpty());
    ASSERT_EQ(file.definitions.size(), 2U);
    const auto& one = file.definitions[0];
    EXPECT_EQ(one.name, "heartbeat");
    EXPECT_EQ(one.spec, "*/5 * * * * *");
    EXPECT_EQ(one.dialect, "seconds");
    EXPECT_EQ(one.time_zone, "Europe/Berlin");
    EXPECT_EQ(one.jitter, milliseconds{2'000});
    EXPECT_EQ(one.catch_up, CatchUp::all);
    EXPECT_EQ(one.catch_up_limit, 7);
    EXPECT_EQ(one.catch_up_window, std::chrono::hours{2});
    EXPECT_EQ(one.data_interval, DataInterval::previous_day);
    EXPECT_EQ(one.paused, true);
    EXPECT_EQ(one.queue, "default");
    EXPECT_EQ(one.type, "gantry.echo");
    EXPECT_EQ(one.key, "beat");
    EXPECT_EQ(one.max_attempts, 3);
    EXPECT_EQ(
        one.payload,
        R"({"at":"{{fire_time}}","n":5,"ok":true,"none":null,"quoted":"7","list":["a",1.5]})");
    EXPECT_EQ(file.definitions[1].topic, "gantry.events.ticks");
    EXPECT_EQ(file.definitions[1].catch_up, CatchUp::none);
    EXPECT_EQ(file.definitions[1].paused, std::nullopt);
}

TEST(SchedulesFile, MayBeEmpty) {
    EXPECT_THAT(faults(""), IsEmpty());
    EXPECT_THAT(faults("schedules:\n"), IsEmpty());
    EXPECT_THAT(faults("schedules: []\n"), IsEmpty());
}

TEST(SchedulesFile, ReportsEveryFaultWithItsLine) {
    const auto found = faults(R"(schedules:
  - name: one
    spec: "0 25 * * *"
    colour: red
    jitter: soon
    catch_up: {policy: some, limit: many}
    paused: perhaps
    job: {queue: default, type: gantry.noop, size: 5, max_attempts: 1.5}
  - name: one
    spec: "0 1 * * *"
    job: {queue: default, type: gantry.noop}
  - just text
)");
    EXPECT_THAT(found, Contains(AllOf(HasSubstr("line 2"), HasSubstr("schedules[0].spec"),
                                      HasSubstr("\"25\""))));
    EXPECT_THAT(found,
                Contains(AllOf(HasSubstr("line 4"), HasSubstr("schedules[0].colour is unknown"))));
    EXPECT_THAT(found,
                Contains(AllOf(HasSubstr("line 5"), HasSubstr("schedules[0].jitter must be"))));
    EXPECT_THAT(found, Contains(AllOf(HasSubstr("line 6"),
                                      HasSubstr("catch_up.policy must be none, latest"))));
    EXPECT_THAT(found, Contains(AllOf(HasSubstr("line 6"),
                                      HasSubstr("catch_up.limit must be a whole number"))));
    EXPECT_THAT(found,
                Contains(AllOf(HasSubstr("line 7"), HasSubstr("paused must be true or false"))));
    EXPECT_THAT(found, Contains(AllOf(HasSubstr("line 8"), HasSubstr("job.size is unknown"))));
    EXPECT_THAT(found, Contains(HasSubstr("job.max_attempts must be a whole number")));
    EXPECT_THAT(found, Contains(AllOf(HasSubstr("line 9"), HasSubstr("\"one\" is there twice"))));
    EXPECT_THAT(found,
                Contains(AllOf(HasSubstr("line 12"), HasSubstr("schedules[2] must be a mapping"))));
}

TEST(SchedulesFile, RefusesWhatIsNotYamlOrNotAMapping) {
    EXPECT_THAT(faults("schedules: ["), Contains(HasSubstr("is not YAML")));
    EXPECT_THAT(faults("- a\n"), Contains(HasSubstr("must be a mapping")));
    EXPECT_THAT(faults("schedules: 5\n"), Contains(HasSubstr("must be a sequence")));
    EXPECT_THAT(faults("jobs: []\n"), Contains(HasSubstr("jobs is unknown")));
}

TEST(SchedulesFile, RefusesAPayloadThatNestsTooDeep) {
    const std::string deep = std::string(40, '[') + std::string(40, ']');
    EXPECT_THAT(
        faults("schedules:\n  - {name: a, spec: '@daily', job: {queue: q, type: t, payload: " +
               deep + "}}\n"),
        Contains(HasSubstr("nested more than 32 deep")));
}

TEST(SchedulesFile, NamesAFileThatCannotBeRead) {
    const auto file = read_schedules("/nowhere/schedules.yaml");
    ASSERT_EQ(file.faults.size(), 1U);
    EXPECT_THAT(file.faults[0].source, HasSubstr("/nowhere/schedules.yaml"));
    EXPECT_EQ(read_schedules("/tmp").faults.size(), 1U);
}

}  // namespace
}  // namespace gantry::scheduler
