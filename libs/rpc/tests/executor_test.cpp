#include "gantry/rpc/executor.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace gantry::rpc {
namespace {

using namespace std::chrono_literals;

TEST(Executor, RunsEveryTaskBeforeItStops) {
    Executor executor(2, 1000);
    std::atomic<int> ran{0};
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(executor.submit([&] { ++ran; }));
    }
    ASSERT_TRUE(executor.stop(Deadline::after(10s)));
    EXPECT_EQ(ran, 1000);
}

TEST(Executor, RefusesWhatItsQueueCannotHold) {
    Executor executor(1, 1);
    std::promise<void> release;
    std::promise<void> entered;
    ASSERT_TRUE(executor.submit([&] {
        entered.set_value();
        release.get_future().wait();
    }));
    entered.get_future().wait();
    EXPECT_TRUE(executor.submit([] {}));
    EXPECT_FALSE(executor.submit([] {}));
    EXPECT_EQ(executor.waiting(), 1U);
    release.set_value();
}

TEST(Executor, RunsTasksSideBySideOnAllThreads) {
    Executor executor(3, 10);
    std::promise<void> all;
    std::shared_future<void> gate = all.get_future().share();
    std::atomic<int> inside{0};
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(executor.submit([&, gate] {
            if (++inside == 3) {
                all.set_value();
            }
            gate.wait();
        }));
    }
    EXPECT_TRUE(executor.stop(Deadline::after(10s)));
}

TEST(Executor, SaysWhenHandlersDoNotEndInTime) {
    Executor executor(1, 1);
    std::promise<void> release;
    ASSERT_TRUE(executor.submit([&] { release.get_future().wait(); }));
    const auto stopped = executor.stop(Deadline::after(1ms));
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, Code::deadline_exceeded);
    EXPECT_FALSE(executor.submit([] {}));
    release.set_value();
    EXPECT_TRUE(executor.stop(Deadline::after(10s)));
}

}  // namespace
}  // namespace gantry::rpc
