#include "../src/encode.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace gantry::otlp {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

tracing::SpanRecord example() {
    tracing::SpanRecord span;
    span.context = *tracing::parse_trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                         "rojo=00f067aa0ba902b7");
    span.parent_id = {0, 1, 2, 3, 4, 5, 6, 0xff};
    span.name = "JobService/Enqueue";
    span.kind = tracing::SpanKind::server;
    span.start = Instant{1'700'000'000s};
    span.end = Instant{1'700'000'000s + 1'500us};
    span.attributes = {{"rpc.system", "grpc"},
                       {"count", std::int64_t{9'007'199'254'740'993}},
                       {"share", 0.25},
                       {"good", true}};
    span.error = "UNAVAILABLE";
    return span;
}

Json encoded(const tracing::SpanRecord& span) {
    const auto json = Json::parse(encode({"queue-worker", "1.2.3", "replica-1"}, {&span, 1}));
    return json.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").at(0);
}

TEST(Encode, FollowsOtlpsJsonMapping) {
    const auto span = encoded(example());
    EXPECT_EQ(span["traceId"], "0af7651916cd43dd8448eb211c80319c");
    EXPECT_EQ(span["spanId"], "b7ad6b7169203331");
    EXPECT_EQ(span["parentSpanId"], "00010203040506ff");
    EXPECT_EQ(span["traceState"], "rojo=00f067aa0ba902b7");
    EXPECT_EQ(span["flags"], 1);
    EXPECT_EQ(span["name"], "JobService/Enqueue");
    EXPECT_EQ(span["kind"], 2);
    EXPECT_EQ(span["startTimeUnixNano"], "1700000000000000000");
    EXPECT_EQ(span["endTimeUnixNano"], "1700000000001500000");
    EXPECT_EQ(span["status"], (Json{{"code", 2}, {"message", "UNAVAILABLE"}}));
    const Json expected = Json::parse(R"([
        {"key": "rpc.system", "value": {"stringValue": "grpc"}},
        {"key": "count", "value": {"intValue": "9007199254740993"}},
        {"key": "share", "value": {"doubleValue": 0.25}},
        {"key": "good", "value": {"boolValue": true}}])");
    EXPECT_EQ(span["attributes"], expected);
}

TEST(Encode, LeavesOutWhatIsNotThere) {
    tracing::SpanRecord span;
    span.context = tracing::start_trace();
    span.name = "root";
    const auto json = encoded(span);
    for (const char* key : {"parentSpanId", "traceState", "attributes", "status"}) {
        EXPECT_FALSE(json.contains(key)) << key;
    }
}

TEST(Encode, NamesTheProcess) {
    const auto span = example();
    const auto json = Json::parse(encode({"queue-worker", "1.2.3", "replica-1"}, {&span, 1}));
    const Json expected = Json::parse(R"([
        {"key": "service.name", "value": {"stringValue": "queue-worker"}},
        {"key": "service.version", "value": {"stringValue": "1.2.3"}},
        {"key": "service.instance.id", "value": {"stringValue": "replica-1"}}])");
    EXPECT_EQ(json["resourceSpans"][0]["resource"]["attributes"], expected);
    EXPECT_EQ(json["resourceSpans"][0]["scopeSpans"][0]["scope"]["name"], "gantry");
}

TEST(Encode, MalformedTextIsReplaced) {
    auto span = example();
    span.attributes = {{"text", "a\xFF\"\n"}};
    EXPECT_EQ(encoded(span)["attributes"][0]["value"]["stringValue"], "a\uFFFD\"\n");
}

}  // namespace
}  // namespace gantry::otlp
