#include "definition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace gantry::scheduler {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> fields_at_fault(const Definition& definition) {
    std::vector<std::string> out;
    std::ranges::transform(faults_of(definition), std::back_inserter(out), &FieldViolation::field);
    return out;
}

Definition good() {
    Definition definition;
    definition.name = "nightly";
    definition.spec = "0 2 * * *";
    definition.queue = "reports";
    definition.type = "reports.nightly";
    return definition;
}

TEST(Definition, IsFineWithNameSpecAndTarget) {
    EXPECT_TRUE(faults_of(good()).empty());
    auto event = good();
    event.queue.reset();
    event.topic = "gantry.events.Nightly_1";
    EXPECT_TRUE(faults_of(event).empty());
}

TEST(Definition, ReportsEveryFaultAtOnce) {
    Definition bad;
    bad.name = "Nightly!";
    bad.spec = "0 25 * * *";
    bad.dialect = "quartz";
    bad.time_zone = "Mars/Olympus";
    bad.jitter = std::chrono::hours{2};
    bad.catch_up_limit = 0;
    bad.catch_up_window = milliseconds{5};
    bad.queue = "no queue";
    bad.type = "1st";
    bad.key = "";
    bad.payload = "{";
    bad.max_attempts = 0;
    EXPECT_THAT(
        fields_at_fault(bad),
        ::testing::UnorderedElementsAre("name", "spec", "dialect", "time_zone", "jitter",
                                        "catch_up.limit", "catch_up.window", "job.queue",
                                        "job.type", "job.key", "job.payload", "job.max_attempts"));
}

TEST(Definition, NeedsExactlyOneTarget) {
    auto both = good();
    both.topic = "gantry.events.x";
    EXPECT_THAT(fields_at_fault(both), ::testing::ElementsAre("job"));
    both.queue.reset();
    both.topic.reset();
    EXPECT_THAT(fields_at_fault(both), ::testing::ElementsAre("job"));
}

TEST(Definition, BecomesJsonWithEveryColumn) {
    const auto json = to_json({good()});
    for (const auto* part :
         {R"("name":"nightly")", R"("spec":"0 2 * * *")", R"("dialect":"automatic")",
          R"("time_zone":"UTC")", R"("jitter":"0 milliseconds")", R"("catch_up":"latest")",
          R"("catch_up_limit":100)", R"("catch_up_window":"86400000 milliseconds")",
          R"("data_interval":"since_previous")", R"("queue":"reports")", R"("topic":null)",
          R"("type":"reports.nightly")", R"("key":null)", R"("payload":null)",
          R"("max_attempts":null)", R"("paused":null)"}) {
        EXPECT_THAT(json, HasSubstr(part));
    }
}

}  // namespace
}  // namespace gantry::scheduler
