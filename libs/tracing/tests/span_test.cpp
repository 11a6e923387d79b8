#include "gantry/tracing/span.hpp"

#include <gtest/gtest.h>
#include <mutex>
#include <thread>

namespace gantry::tracing {
namespace {

using namespace std::chrono_literals;

class Notes final : public SpanSink {
public:
    void take(SpanRecord span) noexcept override {
        const std::lock_guard lock(mutex_);
        spans.push_back(std::move(span));
    }
    std::vector<SpanRecord> spans;

private:
    std::mutex mutex_;
};

TEST(Span, NothingIsKeptWhileNobodyRecords) {
    Span span("work", SpanKind::internal, {});
    EXPECT_TRUE(span.context().valid()) << "its ids go on all the same";
    EXPECT_FALSE(span.recorded());
    span.set("key", 1);
    span.end();
}

TEST(Span, GoesToTheSinkOnceWhenItEnds) {
    const auto notes = std::make_shared<Notes>();
    const Recording recording(notes);
    const auto parent = start_trace();
    {
        Span span("work", SpanKind::consumer, parent);
        span.set("text", "x");
        span.set("number", 3);
        span.set("real", 0.5);
        span.set("good", true);
        span.fail(Code::unavailable);
        EXPECT_TRUE(notes->spans.empty());
        span.end();
        span.end();
    }
    ASSERT_EQ(notes->spans.size(), 1U);
    const SpanRecord& span = notes->spans.front();
    EXPECT_EQ(span.context.trace_id, parent.trace_id);
    EXPECT_NE(span.context.span_id, parent.span_id);
    EXPECT_EQ(span.parent_id, parent.span_id);
    EXPECT_EQ(span.name, "work");
    EXPECT_EQ(span.kind, SpanKind::consumer);
    EXPECT_EQ(span.error, "UNAVAILABLE");
    EXPECT_GE(span.end, span.start);
    ASSERT_EQ(span.attributes.size(), 4U);
    EXPECT_EQ(std::get<std::string>(span.attributes[0].value), "x");
    EXPECT_EQ(std::get<std::int64_t>(span.attributes[1].value), 3);
    EXPECT_EQ(std::get<double>(span.attributes[2].value), 0.5);
    EXPECT_EQ(std::get<bool>(span.attributes[3].value), true);
}

TEST(Span, ARootHasNoParent) {
    const auto notes = std::make_shared<Notes>();
    const Recording recording(notes);
    Span("root", SpanKind::server, TraceContext{}).end();
    ASSERT_EQ(notes->spans.size(), 1U);
    EXPECT_EQ(notes->spans[0].parent_id, (std::array<std::uint8_t, 8>{}));
}

TEST(Span, OfAContextHasItsIdsAndTheTimesItIsGiven) {
    const auto notes = std::make_shared<Notes>();
    const Recording recording(notes);
    const auto own = start_trace();
    const Instant then{1'000s};
    auto span = Span::of("receive", SpanKind::server, own);
    span.started_at(then);
    span.rename("receive adt");
    span.end_at(then + 5ms);
    ASSERT_EQ(notes->spans.size(), 1U);
    EXPECT_EQ(notes->spans[0].context.span_id, own.span_id);
    EXPECT_EQ(notes->spans[0].name, "receive adt");
    EXPECT_EQ(notes->spans[0].start, then);
    EXPECT_EQ(notes->spans[0].end, then + 5ms);
}

TEST(Span, OfATraceThatIsNotSampledIsNotRecorded) {
    const auto notes = std::make_shared<Notes>();
    const Recording recording(notes);
    auto parent = start_trace();
    parent.flags = 0;
    {
        const Span span("work", SpanKind::internal, parent);
        EXPECT_EQ(span.context().traceparent().substr(53), "00");
    }
    EXPECT_TRUE(notes->spans.empty());
}

TEST(Span, MovesWithItsEnd) {
    const auto notes = std::make_shared<Notes>();
    const Recording recording(notes);
    Span kept("one", SpanKind::internal, {});
    {
        Span moved("two", SpanKind::internal, {});
        kept = std::move(moved);
        EXPECT_EQ(notes->spans.size(), 1U) << "the one that was there has ended";
    }
    EXPECT_EQ(notes->spans.size(), 1U);
    kept.end();
    EXPECT_EQ(notes->spans.back().name, "two");
}

TEST(Span, EndsOnManyThreadsWhileTheRecordingEnds) {
    auto notes = std::make_shared<Notes>();
    auto recording = std::make_unique<Recording>(notes);
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([] {
            for (int n = 0; n < 500; ++n) {
                const Span span("work", SpanKind::internal, {});
            }
        });
    }
    recording.reset();
    threads.clear();
    EXPECT_FALSE(tracing::recording());
}

TEST(Sampling, FollowsTheRatioByTheTracesId) {
    const auto sampled = [](double ratio) {
        set_sampling_ratio(ratio);
        int count = 0;
        for (int i = 0; i < 2'000; ++i) {
            count += start_trace().sampled() ? 1 : 0;
        }
        set_sampling_ratio(1);
        return count;
    };
    EXPECT_EQ(sampled(0), 0);
    EXPECT_EQ(sampled(1), 2'000);
    const int half = sampled(0.5);
    EXPECT_GT(half, 800);
    EXPECT_LT(half, 1'200);
}

}  // namespace
}  // namespace gantry::tracing
