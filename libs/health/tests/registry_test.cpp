#include "gantry/health/registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <atomic>
#include <latch>
#include <stdexcept>
#include <thread>

namespace gantry::health {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class HealthTest : public testing::Test {
protected:
    // Waits, without sleeping, until the check `name` shows `status`.
    void wait_for(const std::string& name, Status status, const std::string& detail) {
        while (true) {
            for (const auto& snapshot : registry_.snapshot()) {
                if (snapshot.name == name && snapshot.status == status &&
                    snapshot.detail == detail) {
                    return;
                }
            }
            std::this_thread::yield();
        }
    }

    FakeClock clock_;
    Registry registry_{clock_};
};

TEST_F(HealthTest, ReportersChangeReadinessAndTellListeners) {
    std::vector<bool> told;
    registry_.on_ready_change([&](bool ready) { told.push_back(ready); });
    auto& kafka = registry_.reporter("kafka", true);
    EXPECT_EQ(&registry_.reporter("kafka", true), &kafka);
    kafka.report(Status::unhealthy, "connecting");
    kafka.report(Status::degraded, "one broker away");
    kafka.report(Status::healthy);
    kafka.report(Status::unhealthy, "away");
    EXPECT_THAT(told, ElementsAre(false, true, false));
}

TEST_F(HealthTest, SinceIsTheTimeOfTheLastChange) {
    auto& kafka = registry_.reporter("kafka", false);
    kafka.report(Status::healthy);
    const Instant changed = clock_.now();
    clock_.advance(5s);
    kafka.report(Status::healthy);
    EXPECT_EQ(registry_.snapshot().at(0).since, changed);
    EXPECT_EQ(registry_.snapshot().at(0).checked, changed + 5s);
}

TEST_F(HealthTest, KnowsAllNamesThatWereRefused) {
    for (const std::string name : {"b", "a", "b", "c", "a", "b"}) {
        (void)registry_.add({.name = name, .run = [](auto) { return CheckResult{}; }});
    }
    EXPECT_THAT(registry_.refused_names(), ElementsAre("a", "b"));
}

TEST_F(HealthTest, RefusesATimeoutThatWouldLookStale) {
    const auto add = [&](std::chrono::milliseconds timeout) {
        return registry_.add({.name = "db",
                              .run = [](auto) { return CheckResult{}; },
                              .timeout = timeout,
                              .period = 1s});
    };
    EXPECT_EQ(add(2001ms).error().code, Code::invalid_argument);
    EXPECT_TRUE(add(2s));
    EXPECT_EQ(registry_.add({.name = "", .run = [](auto) { return CheckResult{}; }}).error().code,
              Code::invalid_argument);
}

TEST_F(HealthTest, AResultIsStaleAfterThreePeriodsAndNotBefore) {
    ASSERT_TRUE(registry_.add({.name = "db",
                               .run = [](auto) { return CheckResult{Status::healthy, "up"}; },
                               .readiness = true,
                               .period = 2s}));
    registry_.start();
    wait_for("db", Status::healthy, "up");
    registry_.stop();
    clock_.advance(6s);
    EXPECT_TRUE(registry_.ready());
    clock_.advance(1ms);
    EXPECT_FALSE(registry_.ready());
    EXPECT_EQ(registry_.snapshot().at(0).last_failure, Failure::stale);
}

TEST_F(HealthTest, ChecksRunSideBySide) {
    // Each waits until all are there.
    std::latch all(4);
    for (const std::string name : {"a", "b", "c", "d"}) {
        ASSERT_TRUE(registry_.add({.name = name, .run = [&](auto) {
                                       all.arrive_and_wait();
                                       return CheckResult{Status::healthy, "up"};
                                   }}));
    }
    registry_.start();
    for (const std::string name : {"a", "b", "c", "d"}) {
        wait_for(name, Status::healthy, "up");
    }
    registry_.stop();
}

TEST_F(HealthTest, KeepsTheKindOfTheLastFailureAfterItHasRecovered) {
    std::atomic<int> run = 0;
    ASSERT_TRUE(registry_.add({.name = "db",
                               .run = [&](std::stop_token stop) -> CheckResult {
                                   switch (++run) {
                                       case 1:
                                           throw std::runtime_error("x");
                                       case 2:
                                           clock_.sleep_for(1h, stop);
                                           return {};
                                       case 3:
                                           return {Status::degraded, "slow"};
                                       default:
                                           return {Status::healthy, "up"};
                                   }
                               },
                               .timeout = 1s,
                               .period = 2s,
                               .tags = {"store"}}));
    const auto seen = [&] { return registry_.snapshot().at(0); };
    EXPECT_EQ(seen().tags, std::vector<std::string>{"store"});
    registry_.start();
    wait_for("db", Status::unhealthy, "the check threw an exception");
    EXPECT_EQ(seen().last_failure, Failure::exception);
    const auto pass_until = [&](Status status, const std::string& detail) {
        while (seen().status != status || seen().detail != detail) {
            clock_.wait_for_sleepers(2);
            clock_.advance(500ms);
        }
    };
    pass_until(Status::unhealthy, "timed out");
    EXPECT_EQ(seen().last_failure, Failure::timeout);
    pass_until(Status::degraded, "slow");
    EXPECT_EQ(seen().last_failure, Failure::reported);
    const Instant failed_at = seen().last_failed_at;
    pass_until(Status::healthy, "up");
    EXPECT_EQ(seen().last_failure, Failure::reported);
    EXPECT_EQ(seen().last_failed_at, failed_at);
    registry_.stop();
}

}  // namespace
}  // namespace gantry::health
