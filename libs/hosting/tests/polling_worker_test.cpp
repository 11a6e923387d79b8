#include "gantry/hosting/polling_worker.hpp"

#include "gantry/logging/log.hpp"
#include "rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <atomic>
#include <functional>
#include <latch>
#include <optional>
#include <stdexcept>

namespace gantry::hosting {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;
using testing::Not;

class Poller final : public PollingWorker {
public:
    using PollingWorker::Next;
    using Body = std::function<Result<Next>(std::stop_token)>;
    Poller(Context& context, Options options, Body body)
        : PollingWorker("poller", context, options), body_(std::move(body)) {}
    ~Poller() override { join(); }

protected:
    Result<Next> run_once(std::stop_token stop) override { return body_(stop); }

private:
    Body body_;
};

using Next = Poller::Next;

class PollingWorkerTest : public testing::Test {
protected:
    // Starts a worker that notes when it runs and then does as `body` says, and waits until it
    // sleeps.
    void start(PollingWorker::Options options, Poller::Body body) {
        poller_.emplace(rig_.context, options, [this, body](std::stop_token stop) {
            runs_.push_back(rig_.clock.steady_now() - began_);
            return body(stop);
        });
        ASSERT_TRUE(poller_->start({}));
        rig_.clock.wait_for_sleepers(1);
    }
    // Passes time in small steps; after each the worker sleeps again.
    void pass(SteadyTime::duration time, SteadyTime::duration step = 10ms) {
        for (SteadyTime::duration passed{0}; passed < time; passed += step) {
            rig_.clock.advance(step);
            rig_.clock.wait_for_sleepers(1);
        }
    }
    [[nodiscard]] std::vector<SteadyTime::duration> gaps() const {
        std::vector<SteadyTime::duration> all;
        for (std::size_t i = 1; i < runs_.size(); ++i) {
            all.push_back(runs_[i] - runs_[i - 1]);
        }
        return all;
    }
    [[nodiscard]] health::Snapshot health() const { return rig_.health.snapshot().at(0); }
    double runs_counted(const std::string& outcome) {
        return rig_.metrics
            .counter("gantry_polling_runs_total", "Runs of polling workers.",
                     {{"worker", "poller"}, {"outcome", outcome}})
            .value();
    }

    Rig rig_;
    const SteadyTime began_ = rig_.clock.steady_now();
    // The worker's thread only, while it does not sleep.
    std::vector<SteadyTime::duration> runs_;
    std::optional<Poller> poller_;
};

TEST_F(PollingWorkerTest, FollowsAnIntervalThatAReloadShortens) {
    std::atomic<int> seconds = 300;
    start({.interval = [&] { return std::chrono::seconds{seconds}; }, .jitter = 0},
          [](auto) { return Next::wait; });
    pass(60s, 500ms);
    EXPECT_EQ(runs_.size(), 1U);
    seconds = 10;
    pass(4s, 500ms);
    EXPECT_EQ(runs_.size(), 2U) << "its wait of five minutes is over within seconds";
    pass(20s, 500ms);
    EXPECT_EQ(runs_.size(), 4U);
}

TEST_F(PollingWorkerTest, RunsAtOnceAndThenEveryIntervalWithJitter) {
    start({.interval = 5s, .jitter = 0.1}, [](auto) { return Next::wait; });
    pass(500s, 50ms);
    EXPECT_EQ(runs_.front(), 0s);
    EXPECT_THAT(gaps(), Each(AllOf(Ge(4'500ms), Le(5'550ms))));
    EXPECT_GT(std::ranges::max(gaps()), std::ranges::min(gaps()) + 100ms);
    EXPECT_EQ(runs_counted("success"), static_cast<double>(runs_.size()));
}

TEST_F(PollingWorkerTest, WaitsForAnIntervalFirstIfAskedTo) {
    start({.interval = 5s, .jitter = 0, .run_at_start = false}, [](auto) { return Next::wait; });
    pass(4'990ms);
    EXPECT_EQ(runs_.size(), 0U);
    pass(10ms);
    EXPECT_EQ(runs_.size(), 1U);
}

TEST_F(PollingWorkerTest, RunsAgainAtOnceWhileThereIsMoreToDo) {
    start({.interval = 5s}, [this](auto) { return runs_.size() < 4 ? Next::again : Next::wait; });
    EXPECT_EQ(runs_, std::vector<SteadyTime::duration>(4));
}

TEST_F(PollingWorkerTest, GoesOnAfterErrorsWithABackoffNoLongerThanTheInterval) {
    int failures = 40;
    start({.interval = 2s, .jitter = 0, .backoff = {100ms, 30s, 10ms}},
          [&failures](auto) -> Result<Next> {
              if (failures-- % 2 == 0) {
                  throw std::runtime_error("broken");
              }
              return fail(Code::unavailable, "away");
          });
    EXPECT_THAT(gaps(), Each(Le(100ms)));
    EXPECT_EQ(health().status, health::Status::degraded);
    EXPECT_THAT(health().detail, HasSubstr("INTERNAL"));
    pass(80s);
    EXPECT_THAT(gaps(), Each(Le(2'010ms)));
    EXPECT_GT(std::ranges::max(gaps()), 1s);
    EXPECT_GT(runs_.size(), 40U);
    EXPECT_EQ(runs_counted("failure"), static_cast<double>(runs_.size()));
}

TEST_F(PollingWorkerTest, TheTextOfAnExceptionIsNotLogged) {
    logging::Capture log;
    start({.interval = 1h},
          [](auto) -> Result<Next> { throw std::runtime_error("invalid input: \"DOE^JANE\""); });
    EXPECT_THAT(log.text(), HasSubstr("unexpected std::runtime_error"));
    EXPECT_THAT(log.text(), Not(HasSubstr("DOE")));
}

TEST_F(PollingWorkerTest, ASuccessClearsTheHealthAndTheBackoff) {
    bool broken = true;
    start({.interval = 10s, .jitter = 0, .backoff = {100ms, 10s, 10ms}},
          [&broken](auto) -> Result<Next> {
              if (broken) {
                  return fail(Code::unavailable, "away");
              }
              return Next::wait;
          });
    pass(60s);
    EXPECT_EQ(health().detail, "last run failed: UNAVAILABLE");
    broken = false;
    pass(10s);
    EXPECT_EQ(health().status, health::Status::healthy);
    EXPECT_EQ(health().detail, "running");
    broken = true;
    while (health().status == health::Status::healthy) {
        pass(10ms);
    }
    const std::size_t before = runs_.size();
    pass(110ms);
    EXPECT_GT(runs_.size(), before);
}

TEST_F(PollingWorkerTest, ALastingFailureIsLoggedNowAndThenWithItsCount) {
    logging::Capture log;
    bool broken = true;
    start({.interval = 1s, .jitter = 0, .backoff = {1s, 1s, 1s}}, [&](auto) -> Result<Next> {
        if (broken) {
            return fail(Code::unavailable, "away");
        }
        return Next::wait;
    });
    pass(45s, 1s);
    const auto lines = [&](const std::string& message) {
        const auto text = log.text();
        std::size_t count = 0;
        for (auto at = text.find(message); at != std::string::npos;
             at = text.find(message, at + 1)) {
            ++count;
        }
        return count;
    };
    EXPECT_EQ(lines("\"run failed\""), 2U) << log.text();
    EXPECT_THAT(log.text(), HasSubstr("\"failures\":31"));
    broken = false;
    pass(2s, 1s);
    EXPECT_EQ(lines("\"runs succeed again\""), 1U);
    broken = true;
    pass(2s, 1s);
    EXPECT_EQ(lines("\"run failed\""), 3U) << "the next failure is news";
}

TEST_F(PollingWorkerTest, AnotherFailureIsLoggedAtOnce) {
    logging::Capture log;
    int run = 0;
    start({.interval = 1s, .jitter = 0, .backoff = {1s, 1s, 1s}}, [&](auto) -> Result<Next> {
        return ++run % 2 == 1 ? fail(Code::unavailable, "away") : fail(Code::internal, "broken");
    });
    pass(1s, 1s);
    EXPECT_THAT(log.text(), AllOf(HasSubstr("away"), HasSubstr("broken")));
}

TEST_F(PollingWorkerTest, AWakeUpEndsTheIntervalAndIsNotLostDuringARun) {
    Diary diary;
    std::latch may_end(1);
    start({.interval = 1h}, [&](auto) {
        if (runs_.size() == 2) {
            diary.add("second run");
            may_end.wait();
        } else if (runs_.size() == 3) {
            diary.add("third run");
        }
        return Next::wait;
    });
    poller_->wake();
    diary.wait_for_count(1);
    poller_->wake();
    poller_->wake();
    may_end.count_down();
    diary.wait_for_count(2);
    rig_.clock.wait_for_sleepers(1);
    EXPECT_EQ(runs_.size(), 3U);
    poller_.reset();
}

TEST_F(PollingWorkerTest, BeatsWhileItIsIdle) {
    start({.interval = 1h}, [](auto) { return Next::wait; });
    for (int i = 0; i < 120; ++i) {
        pass(1s, 1s);
        rig_.watchdog.step();
    }
    EXPECT_EQ(rig_.watchdog.misses(), 0);
}

TEST_F(PollingWorkerTest, AStopEndsARunThatIsUnderWayAndIsNoFailure) {
    start({.interval = 1h}, [this](std::stop_token stop) -> Result<Next> {
        rig_.clock.sleep_for(1h, stop);
        return fail(Code::cancelled, "stopped");
    });
    EXPECT_TRUE(poller_->stop(Deadline::after(10s, rig_.clock)));
    EXPECT_EQ(runs_counted("failure"), 0);
    EXPECT_FALSE(rig_.lifetime.stopping().stop_requested());
}

}  // namespace
}  // namespace gantry::hosting
