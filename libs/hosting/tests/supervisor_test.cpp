// Supervision step by step on one thread: the tests say when a service's work ends.

#include "../src/supervisor.hpp"

#include "rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <array>
#include <map>
#include <thread>

namespace gantry::hosting {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class SupervisorTest : public testing::Test {
protected:
    // A service whose end the test calls.
    class Manual final : public HostedService {
    public:
        Manual(SupervisorTest& test, std::string name) : test_(test), name_(std::move(name)) {}
        Result<void> start(std::stop_token) override {
            ++test_.starts_[name_];
            return test_.start_outcome_;
        }
        Result<void> stop(Deadline) override { return {}; }
        void on_end(EndCallback callback) override { test_.ends_[name_] = std::move(callback); }

    private:
        SupervisorTest& test_;
        std::string name_;
    };

    void supervise(const std::vector<std::string>& names, FaultPolicy policy) {
        std::vector<HostBuilder::Registration> registrations;
        for (const std::string& name : names) {
            registrations.push_back(
                {name, [this, name] { return std::make_unique<Manual>(*this, name); }, policy});
        }
        supervisor_.emplace(rig_.context, options_, guard_, alarm_, std::move(registrations));
        EXPECT_FALSE(supervisor_->start_all({}));
    }

    void end(const std::string& name, Result<void> outcome = fail(Code::unavailable, "broken")) {
        ends_.at(name)(std::move(outcome));
        supervisor_->step();
    }

    [[nodiscard]] bool restart_is_planned() const {
        return supervisor_->next_due() != SteadyTime::max();
    }
    // How long the next restart is away.
    [[nodiscard]] SteadyTime::duration pause() const {
        return supervisor_->next_due() - rig_.clock.steady_now();
    }
    // Lets the time of the next restart come.
    void restart() {
        rig_.clock.advance(pause());
        supervisor_->step();
    }

    std::string health_of(const std::string& name) const {
        const auto all = rig_.health.snapshot();
        const auto found = std::ranges::find(all, "service:" + name, &health::Snapshot::name);
        return found == all.end()
                   ? "unknown"
                   : std::string(health::to_string(found->status)) + ": " + found->detail;
    }

    Rig rig_;
    HostOptions options_;
    Guard guard_{rig_.context, [](int) {}, [] {}};
    Alarm alarm_{rig_.clock};
    Result<void> start_outcome_;
    std::map<std::string, HostedService::EndCallback> ends_;
    std::map<std::string, int> starts_;
    std::optional<Supervisor> supervisor_;
};

constexpr FaultPolicy kRestart{.on_fault = OnEnd::restart, .max_restarts = 100};

TEST_F(SupervisorTest, BackoffDoublesUpToItsCapWithFullJitter) {
    // So many services that, of their random pauses, the longest is near the bound.
    std::vector<std::string> names;
    for (int i = 0; i < 60; ++i) {
        names.push_back("s" + std::to_string(i));
    }
    FaultPolicy policy = kRestart;
    policy.window = 1h;  // Nothing is healthy long enough to begin anew.
    supervise(names, policy);
    for (const auto bound : {500ms, 1'000ms, 2'000ms, 4'000ms, 8'000ms, 16'000ms, 30'000ms}) {
        const SteadyTime now = rig_.clock.steady_now();
        SteadyTime::duration longest{0};
        SteadyTime::duration shortest = 1h;
        for (const std::string& name : names) {
            end(name);
        }
        while (restart_is_planned()) {
            const auto due = supervisor_->next_due();
            longest = std::max(longest, due - now);
            shortest = std::min(shortest, due - now);
            restart();
        }
        EXPECT_LE(longest, bound);
        EXPECT_GT(longest, bound / 2);
        EXPECT_LT(shortest, bound / 2);
    }
}

TEST_F(SupervisorTest, AHealthyPeriodBeginsTheBackoffAnew) {
    FaultPolicy policy = kRestart;
    policy.backoff = {500ms, 30s, 1ms};
    supervise({"a"}, policy);
    for (int i = 0; i < 8; ++i) {
        end("a");
        restart();
    }
    rig_.clock.advance(policy.window - 1ms);
    bool was_long = false;
    // A pause is random: one of many over the first bound shows that the failures still count.
    for (int i = 0; i < 30; ++i) {
        end("a");
        was_long = was_long || pause() > 500ms;
        restart();
        rig_.clock.advance(policy.window - 1ms);
    }
    EXPECT_TRUE(was_long);
    for (int i = 0; i < 30; ++i) {
        rig_.clock.advance(policy.window);
        end("a");
        EXPECT_LE(pause(), 500ms);
        restart();
    }
}

TEST_F(SupervisorTest, AFailedRestartIsNoHealthyPeriod) {
    supervise({"a"}, kRestart);
    rig_.clock.advance(1h);
    start_outcome_ = fail(Code::unavailable, "cannot start");
    end("a");
    SteadyTime::duration longest{0};
    for (int i = 0; i < 30; ++i) {
        longest = std::max(longest, pause());
        restart();
        supervisor_->step();
    }
    EXPECT_GT(longest, 10s);
}

TEST_F(SupervisorTest, OnlyRestartsWithinTheWindowCountAsTooMany) {
    FaultPolicy policy{.on_fault = OnEnd::restart, .backoff = {1ms, 1ms, 1ms}, .max_restarts = 3};
    supervise({"a"}, policy);
    for (int i = 0; i < 20; ++i) {
        end("a");
        ASSERT_TRUE(restart_is_planned()) << i;
        restart();
        rig_.clock.advance(policy.window / 3 + 1ms);
    }
    EXPECT_FALSE(rig_.lifetime.stopping().stop_requested());
    while (!rig_.lifetime.stopping().stop_requested()) {
        end("a");
        if (restart_is_planned()) {
            restart();
        }
    }
    EXPECT_TRUE(rig_.lifetime.stopping().stop_requested());
    EXPECT_THAT(rig_.lifetime.faults().at(0).second.message,
                HasSubstr("restarted 3 times in 1m: broken"));
    EXPECT_EQ(health_of("a"), "unhealthy: stopped: restarted too often");
}

TEST_F(SupervisorTest, AnInstanceEndsOnce) {
    supervise({"a"}, kRestart);
    ends_.at("a")(fail(Code::unavailable, "loop"));
    ends_.at("a")(fail(Code::unavailable, "start"));
    supervisor_->step();
    restart();
    EXPECT_FALSE(restart_is_planned());
    EXPECT_EQ(starts_["a"], 2);
    EXPECT_EQ(rig_.lifetime.services().at(0).restarts, 1);
}

TEST_F(SupervisorTest, ActsOnAReturnByItsOwnPolicy) {
    for (const auto& [action, health] :
         {std::pair{OnEnd::restart, "degraded: restarting"},
          std::pair{OnEnd::ignore, "unhealthy: stopped unexpectedly"},
          std::pair{OnEnd::stop_host, "unhealthy: stopped unexpectedly"}}) {
        supervise({"a"}, {.on_fault = OnEnd::stop_host, .on_return = action});
        end("a", {});
        EXPECT_EQ(health_of("a"), health);
        EXPECT_EQ(rig_.lifetime.stopping().stop_requested(), action == OnEnd::stop_host);
    }
    EXPECT_THAT(rig_.lifetime.faults(), ElementsAre());
}

TEST_F(SupervisorTest, FollowingTheStopBeforeItsTurnIsNoFault) {
    supervise({"a"}, {});
    rig_.lifetime.stop("test");
    end("a", fail(Code::cancelled, "the process stops"));
    EXPECT_THAT(rig_.lifetime.faults(), ElementsAre());
}

TEST_F(SupervisorTest, ACancelledLoopIsAFaultWhileTheProcessRuns) {
    supervise({"a"}, {});
    end("a", fail(Code::cancelled, "by whom?"));
    EXPECT_EQ(rig_.lifetime.faults().size(), 1U);
}

TEST_F(SupervisorTest, ShowsAStalledServiceUntilItBeatsAgain) {
    supervise({"a", "b"}, {});
    const auto heartbeat = rig_.watchdog.watch("a");
    EXPECT_EQ(health_of("a"), "healthy: running");
    rig_.clock.advance(31s);
    rig_.watchdog.step();
    supervisor_->look_for_stalls();
    EXPECT_EQ(health_of("a"), "unhealthy: stalled");
    EXPECT_EQ(health_of("b"), "healthy: running");
    heartbeat->beat();
    rig_.watchdog.step();
    supervisor_->look_for_stalls();
    EXPECT_EQ(health_of("a"), "healthy: running");
}

TEST_F(SupervisorTest, AStallDoesNotHideThatAServiceHasEnded) {
    supervise({"a"}, {.on_fault = OnEnd::ignore});
    const auto heartbeat = rig_.watchdog.watch("a");
    rig_.clock.advance(31s);
    rig_.watchdog.step();
    end("a");
    supervisor_->look_for_stalls();
    EXPECT_EQ(health_of("a"), "unhealthy: stopped unexpectedly");
    heartbeat->pause();
    rig_.watchdog.step();
    supervisor_->look_for_stalls();
    EXPECT_EQ(health_of("a"), "unhealthy: stopped unexpectedly");
}

}  // namespace
}  // namespace gantry::hosting
