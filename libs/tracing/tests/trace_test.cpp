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
