#include "gantry/logging/log.hpp"

#include "../src/line.hpp"

#include "gantry/logging/throttle.hpp"
#include "gantry/tracing/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

namespace gantry::logging {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

TEST(Log, WritesOneJsonObjectALine) {
    configure({.level = "info", .format = "json", .service = "relay"});
    const Capture capture;
    info("hello \"world\"\n", {{"count", 3},
                               {"ratio", 0.5},
                               {"good", true},
                               {"name", "x"},
                               {"bad", std::numeric_limits<double>::infinity()}});
    const auto line = Json::parse(capture.text());
    EXPECT_EQ(line["msg"], "hello \"world\"\n");
    EXPECT_EQ(line["level"], "info");
    EXPECT_EQ(line["service"], "relay");
    EXPECT_EQ(line["count"], 3);
    EXPECT_EQ(line["ratio"], 0.5);
    EXPECT_EQ(line["good"], true);
    EXPECT_TRUE(line["bad"].is_null());
    EXPECT_TRUE(line["ts"].get<std::string>().ends_with("Z"));
}

TEST(Log, LevelsHide) {
    set_level(Level::warning);
    const Capture capture;
    info("hidden");
    warning("shown");
    set_level(Level::info);
    EXPECT_THAT(capture.text(), HasSubstr("shown"));
    EXPECT_EQ(capture.text().find("hidden"), std::string::npos);
}

TEST(Log, AnUnknownLevelIsInfo) {
    set_level("loud");
    EXPECT_TRUE(enabled(Level::info));
    EXPECT_FALSE(enabled(Level::debug));
}

TEST(Log, MalformedTextStaysOneParsableLine) {
    const Capture capture;
    info("a\xFF\nb", {{"k\xC3", std::string("v\0\x80\r\n\"}", 7)}});
    const auto text = capture.text();
    EXPECT_EQ(std::ranges::count(text, '\n'), 1);
    EXPECT_TRUE(Json::accept(text)) << text;
}

TEST(Throttle, LetsOneLineThroughAPeriodAndCountsTheRest) {
    using namespace std::chrono_literals;
    Throttle throttle(30s);
    const SteadyTime begin{};
    EXPECT_EQ(throttle.pass(begin), 0);
    EXPECT_EQ(throttle.pass(begin + 1s), std::nullopt);
    EXPECT_EQ(throttle.pass(begin + 29'999ms), std::nullopt);
    EXPECT_EQ(throttle.pass(begin + 30s), 2);
    EXPECT_EQ(throttle.pass(begin + 90s), 0);
}

TEST(Log, FailuresShowCodeAndReason) {
    const Capture capture;
    error("could not", Error{Code::unavailable, "broker gone", "BROKER_GONE", {}});
    const auto line = Json::parse(capture.text());
    EXPECT_EQ(line["error"], "broker gone");
    EXPECT_EQ(line["code"], "UNAVAILABLE");
    EXPECT_EQ(line["reason"], "BROKER_GONE");
}

TEST(Log, LinesOfATraceCarryItsIds) {
    const auto trace = tracing::start_trace();
    const tracing::ScopedTrace scope(trace);
    const Capture capture;
    info("inside");
    const auto line = Json::parse(capture.text());
    EXPECT_EQ(line["trace_id"], trace.trace_id_hex());
    EXPECT_EQ(line["span_id"], trace.span_id_hex());
}

TEST(Log, LinesOutsideATraceCarryNone) {
    const Capture capture;
    info("outside");
    EXPECT_FALSE(Json::parse(capture.text()).contains("trace_id"));
}

TEST(Log, MalformedUtf8BecomesAReplacement) {
    for (const std::string& bad :
         {std::string("\xFF"), std::string("\xC0\xAF"), std::string("\xED\xA0\x80"),
          std::string("\xE2\x82"), std::string("\xF5\x80\x80\x80"), std::string(1, '\0')}) {
        std::string out;
        append_json_string(out, "a" + bad + "b");
        EXPECT_TRUE(Json::accept(out)) << out;
    }
    std::string good;
    append_json_string(good, "äß€😀");
    EXPECT_EQ(good, "\"äß€😀\"");
}

TEST(Log, TextCannotForgeALine) {
    const std::string text = to_text({.level = Level::info,
                                      .at = {},
                                      .service = {},
                                      .message = "a\nb\x1b[31m",
                                      .trace_id = {},
                                      .span_id = {},
                                      .fields = {}});
    EXPECT_EQ(text, "1970-01-01T00:00:00.000Z INFO  a\\nb\\u001b[31m");
}

}  // namespace
}  // namespace gantry::logging
