#include "gantry/health/heartbeat.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gantry::health {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class WatchdogTest : public testing::Test {
protected:
    FakeClock clock_;
    Watchdog watchdog_{clock_, {.limit = 10s, .strikes = 3}};
};

TEST_F(WatchdogTest, CountsASilenceOnce) {
    const auto heartbeat = watchdog_.watch("loop");
    clock_.advance(10s);
    watchdog_.step();
    EXPECT_EQ(watchdog_.misses(), 0);
    clock_.advance(1ms);
    watchdog_.step();
    watchdog_.step();
    EXPECT_EQ(watchdog_.misses(), 1);
    EXPECT_THAT(watchdog_.stalled(), IsEmpty());
}

TEST_F(WatchdogTest, StallsAfterThreeLimitsAndRecovers) {
    const auto heartbeat = watchdog_.watch("loop");
    clock_.advance(30s + 1ms);
    watchdog_.step();
    EXPECT_THAT(watchdog_.stalled(), ElementsAre("loop"));
    heartbeat->beat();
    watchdog_.step();
    EXPECT_THAT(watchdog_.stalled(), IsEmpty());
}

TEST_F(WatchdogTest, PausedAndReleasedLoopsAreNotWatched) {
    const auto paused = watchdog_.watch("paused");
    paused->pause();
    static_cast<void>(watchdog_.watch("released"));
    clock_.advance(1h);
    watchdog_.step();
    EXPECT_THAT(watchdog_.stalled(), IsEmpty());
    EXPECT_EQ(watchdog_.misses(), 0);
}

}  // namespace
}  // namespace gantry::health
