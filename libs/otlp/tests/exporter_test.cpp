#include "gantry/otlp/exporter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

namespace gantry::otlp {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// A collector that answers as a test says. Thread-safe.
class FakeCollector final : public http::Client {
public:
    Result<http::Response> send(const http::Request& request, std::stop_token stop) override {
        std::unique_lock lock(mutex_);
        const auto json = nlohmann::json::parse(request.body);
        targets.push_back(request.url.target);
        timeouts.push_back(request.timeout);
        sizes.push_back(json["resourceSpans"][0]["scopeSpans"][0]["spans"].size());
        changed_.notify_all();
        changed_.wait(lock, stop, [this] { return !hanging_; });
        if (hanging_) {
            return fail(Code::cancelled, "cancelled");
        }
        return answer();
    }
    void answer_with(std::function<Result<http::Response>()> next) {
        const std::lock_guard lock(mutex_);
        answer = std::move(next);
    }
    void hang(bool on) {
        const std::lock_guard lock(mutex_);
        hanging_ = on;
        changed_.notify_all();
    }
    void wait_for_requests(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return sizes.size() >= count; });
    }
    std::vector<std::size_t> seen() {
        const std::lock_guard lock(mutex_);
        return sizes;
    }

    std::function<Result<http::Response>()> answer = [] { return http::Response{200, {}}; };
    std::vector<std::string> targets;
    std::vector<milliseconds> timeouts;
    std::vector<std::size_t> sizes;

private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool hanging_ = false;
};

class ExporterTest : public testing::Test {
protected:
    ExporterTest() {
        options_.endpoint = "http://collector:4318";
        options_.batch_size = 3;
        options_.queue_capacity = 5;
    }
    ~ExporterTest() override {
        collector_.hang(false);
        exporter_.reset();
        tracing::set_sampling_ratio(1);
    }
    void start() {
        exporter_ =
            std::make_unique<Exporter>("traces", context_, [this] { return options_; }, collector_);
        ASSERT_TRUE(exporter_->start({}));
        clock_.wait_for_sleepers(1);
    }
    static void make_spans(int count) {
        for (int i = 0; i < count; ++i) {
            const tracing::Span span("work", tracing::SpanKind::internal, {});
        }
    }
    // Passes time in small steps; after each the loop sleeps again.
    void pass(SteadyTime::duration time, SteadyTime::duration step = 100ms) {
        for (SteadyTime::duration passed{0}; passed < time; passed += step) {
            clock_.advance(step);
            clock_.wait_for_sleepers(1);
        }
    }
    double count(const char* outcome) {
        return metrics_.counter("gantry_tracing_spans_total", "", {{"outcome", outcome}}).value();
    }
    health::Status status() {
        for (const auto& check : health_.snapshot()) {
            if (check.name == "service:traces") {
                return check.status;
            }
        }
        return health::Status::unhealthy;
    }
    static Result<http::Response> away() { return fail(Code::unavailable, "refused"); }

    FakeClock clock_;
    metrics::Registry metrics_;
    health::Registry health_{clock_};
    health::Watchdog watchdog_{clock_, {}};
    hosting::Lifetime lifetime_;
    hosting::Context context_{"test", "0", clock_, metrics_, health_, watchdog_, lifetime_};
    Options options_;
    FakeCollector collector_;
    std::unique_ptr<Exporter> exporter_;
};

TEST_F(ExporterTest, AFullBatchLeavesAtOnceAndTheRestAfterTheInterval) {
    start();
    make_spans(4);
    collector_.wait_for_requests(1);
    clock_.wait_for_sleepers(1);
    EXPECT_EQ(collector_.seen(), (std::vector<std::size_t>{3}));
    pass(5s);
    collector_.wait_for_requests(2);
    clock_.wait_for_sleepers(1);
    EXPECT_EQ(collector_.seen(), (std::vector<std::size_t>{3, 1}));
    EXPECT_EQ(collector_.targets.front(), "/v1/traces");
    EXPECT_EQ(count("sent"), 4);
}

TEST_F(ExporterTest, NothingIsSentWhileThereIsNothing) {
    start();
    pass(30s);
    EXPECT_TRUE(collector_.seen().empty());
}

TEST_F(ExporterTest, TheWorkNeverWaitsAndWhatFindsNoRoomIsCounted) {
    start();
    collector_.hang(true);
    make_spans(3);
    collector_.wait_for_requests(1);
    make_spans(9);
    EXPECT_EQ(count("queue_full"), 4);
    collector_.hang(false);
    collector_.wait_for_requests(2);
    clock_.wait_for_sleepers(1);
    pass(6s);
    EXPECT_EQ(count("sent"), 8);
}

TEST_F(ExporterTest, WhatACollectorThatIsAwayDoesNotTakeIsSentAgain) {
    start();
    for (const int status : {429, 502, 503, 504}) {
        collector_.answer_with([status] { return http::Response{status, {}}; });
        const auto before = collector_.seen().size();
        make_spans(3);
        collector_.wait_for_requests(before + 1);
        clock_.wait_for_sleepers(1);
        EXPECT_EQ(status, status) << "degraded, and nothing else";
        EXPECT_EQ(this->status(), health::Status::degraded);
        collector_.answer_with([] { return http::Response{200, {}}; });
        pass(1s);
        EXPECT_GE(collector_.seen().size(), before + 2) << status;
        EXPECT_EQ(this->status(), health::Status::healthy);
    }
    EXPECT_EQ(count("sent"), 12);
    EXPECT_EQ(count("given_up") + count("refused"), 0);
}

TEST_F(ExporterTest, TheCollectorsRetryAfterIsKept) {
    start();
    collector_.answer_with([] { return http::Response{503, "7"}; });
    make_spans(3);
    collector_.wait_for_requests(1);
    clock_.wait_for_sleepers(1);
    collector_.answer_with([] { return http::Response{200, {}}; });
    pass(6s);
    EXPECT_EQ(collector_.seen().size(), 1U);
    pass(2s);
    EXPECT_EQ(collector_.seen().size(), 2U);
}

TEST_F(ExporterTest, WhatTheCollectorRefusesIsDroppedAndCounted) {
    start();
    collector_.answer_with([] { return http::Response{400, {}}; });
    make_spans(3);
    collector_.wait_for_requests(1);
    clock_.wait_for_sleepers(1);
    EXPECT_EQ(count("refused"), 3);
    pass(30s);
    EXPECT_EQ(collector_.seen().size(), 1U);
}

TEST_F(ExporterTest, ABatchIsGivenUpAfterAMinute) {
    start();
    collector_.answer_with(away);
    make_spans(3);
    collector_.wait_for_requests(1);
    clock_.wait_for_sleepers(1);
    pass(61s);
    EXPECT_EQ(count("given_up"), 3);
    EXPECT_GT(collector_.seen().size(), 4U);
    EXPECT_LT(collector_.seen().size(), 60U) << "the pauses grow";
}

TEST_F(ExporterTest, AStopSendsWhatIsQueued) {
    start();
    make_spans(2);
    EXPECT_TRUE(exporter_->stop(Deadline::after(10s, clock_)));
    EXPECT_EQ(collector_.seen(), (std::vector<std::size_t>{2}));
    EXPECT_EQ(count("sent"), 2);
    EXPECT_FALSE(tracing::recording());
}

TEST_F(ExporterTest, AStopInterruptsARequestAndSendsItAgain) {
    start();
    collector_.hang(true);
    make_spans(3);
    collector_.wait_for_requests(1);
    std::jthread stopping([this] { EXPECT_TRUE(exporter_->stop(Deadline::after(10s, clock_))); });
    collector_.wait_for_requests(2);
    collector_.hang(false);
    stopping.join();
    EXPECT_EQ(count("sent"), 3);
}

TEST_F(ExporterTest, AStopWaitsForACollectorThatIsAwayForThreeSecondsAtMost) {
    start();
    collector_.answer_with(away);
    make_spans(2);
    const auto began = clock_.steady_now();
    std::atomic<bool> stopped = false;
    std::jthread stopping([&] {
        EXPECT_TRUE(exporter_->stop(Deadline::after(10s, clock_)));
        stopped = true;
    });
    collector_.wait_for_requests(1);
    while (!stopped) {
        clock_.advance(50ms);
        std::this_thread::yield();
    }
    EXPECT_EQ(count("given_up"), 2);
    EXPECT_FALSE(collector_.timeouts.empty());
    EXPECT_LE(collector_.timeouts.front(), 3s);
    EXPECT_GE(clock_.steady_now(), began);
}

TEST_F(ExporterTest, TheSamplingRatioFollowsAReload) {
    start();
    EXPECT_TRUE(tracing::start_trace().sampled());
    options_.sampling_ratio = 0;
    pass(4s);
    EXPECT_FALSE(tracing::start_trace().sampled());
}

TEST(AddExporter, AddsNothingWithoutAnEndpoint) {
    FakeClock clock;
    metrics::Registry metrics;
    health::Registry health{clock};
    health::Watchdog watchdog{clock, {}};
    hosting::Lifetime lifetime;
    hosting::Context context{"test", "0", clock, metrics, health, watchdog, lifetime};
    hosting::HostBuilder host;
    Options options;
    options.sampling_ratio = 0;
    add_exporter(host, context, [&] { return options; });
    EXPECT_FALSE(tracing::start_trace().sampled()) << "the ratio holds for what others record";
    tracing::set_sampling_ratio(1);
    EXPECT_FALSE(tracing::recording());
}

}  // namespace
}  // namespace gantry::otlp
