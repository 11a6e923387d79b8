#include "gantry/metrics/registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gantry::metrics {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Metrics, SameNameAndLabelsAreTheSameMetric) {
    Registry registry;
    auto& one = registry.counter("gantry_x_total", "X.", {{"queue", "a"}});
    auto& other = registry.counter("gantry_x_total", "X.", {{"queue", "b"}});
    one.increment();
    registry.counter("gantry_x_total", "X.", {{"queue", "a"}}).increment(2);
    EXPECT_EQ(one.value(), 3);
    EXPECT_EQ(other.value(), 0);
    EXPECT_THAT(registry.text(), HasSubstr("gantry_x_total{queue=\"a\"} 3"));
}

TEST(Metrics, GaugesAndHistogramsAreServed) {
    Registry registry;
    registry.gauge("gantry_depth", "Depth.").set(2);
    registry.gauge("gantry_depth", "Depth.").add(-1);
    registry.histogram("gantry_took_seconds", "Took.").observe(0.003);
    EXPECT_THAT(registry.text(), AllOf(HasSubstr("gantry_depth 1"),
                                       HasSubstr("gantry_took_seconds_bucket{le=\"0.005\"} 1"),
                                       HasSubstr("gantry_took_seconds_bucket{le=\"0.0025\"} 0")));
}

TEST(Metrics, RefreshRunsAtEachScrape) {
    Registry registry;
    auto& gauge = registry.gauge("gantry_seen", "Seen.");
    registry.on_scrape([&] { gauge.add(1); });
    static_cast<void>(registry.text());
    EXPECT_THAT(registry.text(), HasSubstr("gantry_seen 2"));
}

TEST(Metrics, RefreshOfAnOwnerEndsWithIt) {
    Registry registry;
    int calls = 0;
    auto owner = std::make_shared<int>(0);
    registry.on_scrape(owner, [&] { ++calls; });
    static_cast<void>(registry.text());
    owner.reset();
    static_cast<void>(registry.text());
    EXPECT_EQ(calls, 1);
}

TEST(Metrics, ProcessMetricsAreRead) {
    Registry registry;
    add_process_metrics(registry, "relay", "1.2.3");
    const std::string text = registry.text();
    EXPECT_THAT(text, HasSubstr("gantry_build_info{service=\"relay\",version=\"1.2.3\"} 1"));
    EXPECT_GT(registry.gauge("process_resident_memory_bytes", "Resident memory.").value(), 100'000);
    EXPECT_GE(registry.gauge("process_open_fds", "Open file descriptors.").value(), 3);
    EXPECT_GT(registry.gauge("process_start_time_seconds", "").value(), 1'500'000'000);
}

}  // namespace
}  // namespace gantry::metrics
