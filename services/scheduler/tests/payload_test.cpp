#include "payload.hpp"

#include "gantry/base/time.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gantry::scheduler {
namespace {

using ::testing::HasSubstr;

FireValues values() {
    const auto at = [](std::string_view text) { return parse_rfc3339(text).value(); };
    return {"nightly",
            at("2026-02-03T02:00:00Z"),
            "2026-02-03T03:00:00+01:00",
            at("2026-02-02T02:00:00Z"),
            at("2026-02-02T02:00:00Z"),
            at("2026-02-03T02:00:00Z")};
}

TEST(Payload, FillsInValuesInsideStringsAndKeepsTheRest) {
    EXPECT_EQ(
        render_payload(
            R"({"b":"at {{fire_time}} of {{ schedule }}","a":[1,true,null,"{{scheduled_local}}"]})",
            values()),
        R"({"b":"at 2026-02-03T02:00:00.000Z of nightly","a":[1,true,null,"2026-02-03T03:00:00+01:00"]})");
    EXPECT_EQ(render_payload(R"({"from":"{{data_interval_start}}","to":"{{data_interval_end}}"})",
                             values()),
              R"({"from":"2026-02-02T02:00:00.000Z","to":"2026-02-03T02:00:00.000Z"})");
}

TEST(Payload, HasAnEmptyPreviousFireWhenThereIsNone) {
    auto first = values();
    first.previous_fire.reset();
    EXPECT_EQ(render_payload(R"("{{previous_fire}}")", first), R"("")");
    EXPECT_THAT(render_payload(std::nullopt, first), HasSubstr(R"("previousFire":null)"));
}

TEST(Payload, KeepsNestedBracesOfJson) {
    EXPECT_EQ(render_payload(R"({"a":{"b":{}}})", values()), R"({"a":{"b":{}}})");
}

TEST(Payload, RefusesATemplateThatCannotBeFilled) {
    EXPECT_THAT(check_template("{{fire_time}}").error().message, HasSubstr("must be JSON"));
    EXPECT_THAT(check_template(R"("{{fire_tme}}")").error().message,
                HasSubstr("allowed are schedule"));
    EXPECT_THAT(check_template(R"("{{fire_time")").error().message, HasSubstr("without }}"));
    EXPECT_THAT(check_template(std::string(65 * 1024, ' ')).error().message, HasSubstr("64 KiB"));
    EXPECT_TRUE(check_template(R"({"at":"{{fire_time}}"})"));
}

}  // namespace
}  // namespace gantry::scheduler
