#include "gantry/tracing/trace.hpp"

#include <gtest/gtest.h>

namespace gantry::tracing {
namespace {

constexpr std::string_view kHeader = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Trace, HeaderSurvivesTheRoundTrip) {
    const auto trace = parse_traceparent(kHeader);
    ASSERT_TRUE(trace);
    EXPECT_EQ(trace->traceparent(), kHeader);
}

TEST(Trace, MalformedHeadersAreRefused) {
    for (const std::string_view bad :
         {"", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
          "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-00000000000000000000000000000000-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
          "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
          "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}) {
        EXPECT_FALSE(parse_traceparent(bad)) << bad;
    }
}

TEST(Trace, LaterVersionsAreReadAsFarAsKnown) {
    EXPECT_TRUE(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
}

TEST(Trace, ChildKeepsTheTraceAndChangesTheSpan) {
    const auto trace = start_trace();
    const auto child = trace.child();
    EXPECT_EQ(child.trace_id, trace.trace_id);
    EXPECT_NE(child.span_id, trace.span_id);
    EXPECT_TRUE(TraceContext{}.child().valid());
}

TEST(Trace, StateOfOthersIsPassedOnToChildren) {
    const auto trace = parse_trace(kHeader, "rojo=00f067aa0ba902b7, congo@vendor=t61rcWkgMzE");
    ASSERT_TRUE(trace);
    EXPECT_EQ(trace->child().state, "rojo=00f067aa0ba902b7, congo@vendor=t61rcWkgMzE");
}

TEST(Trace, StateThatIsMalformedOrOverlongIsLeftOutAndTheTraceKept) {
    std::string many;
    for (int i = 0; i < 33; ++i) {
        many += "k" + std::to_string(i) + "=v,";
    }
    for (const std::string& bad :
         {std::string(""), std::string(","), std::string("novalue"), std::string("Upper=1"),
          std::string("a=b=c"), std::string("a=b\nx=y"), std::string("a="), std::string("@a=1"),
          "a=" + std::string(600, 'x'), many}) {
        const auto trace = parse_trace(kHeader, bad);
        ASSERT_TRUE(trace) << bad;
        EXPECT_EQ(trace->state, "") << bad;
    }
    EXPECT_FALSE(parse_trace("00-nonsense", "a=b")) << "without a parent it means nothing";
}

TEST(Trace, ScopesNest) {
    EXPECT_FALSE(current().valid());
    const auto outer = start_trace();
    const ScopedTrace outer_scope(outer);
    {
        const ScopedTrace inner_scope(start_trace());
        EXPECT_NE(current().trace_id, outer.trace_id);
    }
    EXPECT_EQ(current().trace_id, outer.trace_id);
}

}  // namespace
}  // namespace gantry::tracing
