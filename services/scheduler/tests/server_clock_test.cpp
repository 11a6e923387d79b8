#include "server_clock.hpp"

#include <gtest/gtest.h>

namespace gantry::scheduler {
namespace {

using std::chrono::seconds;

TEST(ServerClock, RunsWithTheSteadyClockFromTheMiddleOfTheExchange) {
    FakeClock clock;
    ServerClock server(clock);
    const auto sent = clock.steady_now();
    const auto told = clock.now() + seconds{90};
    clock.advance(milliseconds{20});
    server.observe(told, sent);
    EXPECT_EQ(server.now(), told + milliseconds{10});
    clock.advance(seconds{5});
    EXPECT_EQ(server.now(), told + milliseconds{5'010});
    EXPECT_EQ(server.steady_at(told + seconds{6}), sent + milliseconds{6'010});
}

TEST(ServerClock, ShowsHowFarTheServerIsAhead) {
    FakeClock clock;
    ServerClock server(clock);
    server.observe(clock.now() + seconds{90}, clock.steady_now());
    EXPECT_EQ(server.skew(), seconds{90});
}

TEST(ServerClock, IsNotMovedByAStepOfTheWallClock) {
    FakeClock clock;
    ServerClock server(clock);
    const auto told = clock.now();
    server.observe(told, clock.steady_now());
    clock.step_wall(seconds{-90});
    EXPECT_EQ(server.now(), told);
}

}  // namespace
}  // namespace gantry::scheduler
