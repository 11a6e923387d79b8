#include "../src/guard.hpp"

#include "rig.hpp"

#include <gtest/gtest.h>
#include <atomic>
#include <latch>
#include <thread>

namespace gantry::hosting {
namespace {

using namespace std::chrono_literals;

class GuardTest : public testing::Test {
protected:
    ~GuardTest() override { guard_.stop(); }

    // Advances second by second until the guard has exited the process.
    int exit_code() {
        while (exited_with_ == 0) {
            rig_.clock.wait_for_sleepers(1);
            rig_.clock.advance(1s);
        }
        return exited_with_;
    }

    Rig rig_;
    std::atomic<int> exited_with_ = 0;
    Guard guard_{rig_.context, [this](int code) { exited_with_ = code; }, [] {}};
};

TEST_F(GuardTest, ActsOnceAtTheSoftLimit) {
    Diary diary;
    guard_.start();
    rig_.clock.wait_for_sleepers(1);
    const SteadyTime limit = rig_.clock.steady_now() + 2500ms;
    guard_.set_soft_limit(limit, [&] {
        EXPECT_EQ(rig_.clock.steady_now(), limit);
        diary.add("acted");
    });
    for (int i = 0; i < 50; ++i) {
        rig_.clock.wait_for_sleepers(1);
        rig_.clock.advance(100ms);
    }
    EXPECT_EQ(diary.entries().size(), 1U);
}

TEST_F(GuardTest, ACancelledSoftLimitHasActedOrNeverWill) {
    std::latch acting(1);
    std::latch may_end(1);
    std::atomic<bool> acted = false;
    std::atomic<bool> acted_at_return = false;
    std::atomic<bool> returned = false;
    guard_.start();
    rig_.clock.wait_for_sleepers(1);
    guard_.set_soft_limit(rig_.clock.steady_now(), [&] {
        acting.count_down();
        may_end.wait();
        acted = true;
    });
    acting.wait();
    std::jthread canceller([&] {
        guard_.cancel_soft_limit();
        acted_at_return = acted.load();
        returned = true;
    });
    // Gives the cancellation the time to return too early.
    for (int i = 0; i < 1000 && !returned; ++i) {
        std::this_thread::yield();
    }
    may_end.count_down();
    canceller.join();
    guard_.stop();
    EXPECT_TRUE(acted_at_return);
}

TEST_F(GuardTest, TheFirstHardLimitCountsAndNamesTheCulprit) {
    guard_.start();
    guard_.note("stopping service `a`");
    guard_.set_hard_limit(rig_.clock.steady_now() + 5s, 124);
    guard_.set_hard_limit(rig_.clock.steady_now() + 1s, 71);
    EXPECT_EQ(exit_code(), 124);
    EXPECT_EQ(guard_.culprit(), "stopping service `a`");
}

TEST_F(GuardTest, WhoUsedUpTheTimeIsNamedBeforeWhoHasNone) {
    guard_.start();
    guard_.blame("stopping service `slow`");
    guard_.note("stopping service `quick`");
    guard_.set_hard_limit(rig_.clock.steady_now() + 1s, 124);
    EXPECT_EQ(exit_code(), 124);
    EXPECT_EQ(guard_.culprit(), "stopping service `slow`, then stopping service `quick`");
}

TEST_F(GuardTest, StepsTheWatchdogEverySecond) {
    const auto heartbeat = rig_.watchdog.watch("loop");
    guard_.start();
    for (int i = 0; i < 12; ++i) {
        rig_.clock.wait_for_sleepers(1);
        rig_.clock.advance(1s);
    }
    rig_.clock.wait_for_sleepers(1);
    EXPECT_EQ(rig_.watchdog.misses(), 1);
}

}  // namespace
}  // namespace gantry::hosting
