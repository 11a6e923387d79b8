#include "gantry/hosting/host.hpp"
#include "gantry/hosting/background_service.hpp"

#include "gantry/logging/log.hpp"
#include "rig.hpp"
#include "scripted.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <atomic>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <optional>
#include <thread>

namespace gantry::hosting {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class Recorder final : public HostedService {
public:
    struct Script {
        Result<void> start;
        Result<void> stop;
    };
    Recorder(std::string name, Diary& diary, Script script = {})
        : name_(std::move(name)), diary_(diary), script_(std::move(script)) {}
    Result<void> start(std::stop_token) override {
        diary_.add("start " + name_);
        return script_.start;
    }
    Result<void> stop(Deadline) override {
        diary_.add("stop " + name_);
        return script_.stop;
    }

private:
    std::string name_;
    Diary& diary_;
    Script script_;
};

class Loop final : public BackgroundService {
public:
    using Body = std::function<Result<void>(std::stop_token)>;
    Loop(std::string name, Context& context, Body body)
        : BackgroundService(std::move(name), context), body_(std::move(body)) {}
    ~Loop() override { join(); }

protected:
    Result<void> execute(std::stop_token stop) override { return body_(stop); }

private:
    Body body_;
};

class HostTest : public testing::Test {
protected:
    void record(const std::string& name, Recorder::Script script = {}) {
        builder_.add(name, [=, this] { return std::make_unique<Recorder>(name, diary_, script); });
    }
    void loop(const std::string& name, Loop::Body body, FaultPolicy policy = {}) {
        builder_.add(
            name, [=, this] { return std::make_unique<Loop>(name, rig_.context, body); }, policy);
    }
    int run(HostOptions options = {}) {
        auto host = Host::create(std::move(builder_), options, rig_.context);
        EXPECT_TRUE(host);
        return (*host)->run();
    }
    void stop_when_started() {
        rig_.lifetime.on(Phase::started, [this] { rig_.lifetime.stop("test"); });
    }

    Rig rig_;
    Diary diary_;
    HostBuilder builder_;
};

TEST_F(HostTest, StartsInOrderAndStopsInReverse) {
    record("a");
    record("b");
    for (const auto& [phase, name] :
         {std::pair{Phase::starting, "starting"}, std::pair{Phase::started, "started"},
          std::pair{Phase::stopping, "stopping"}, std::pair{Phase::stopped, "stopped"}}) {
        rig_.lifetime.on(phase, [this, name] { diary_.add(name); });
    }
    stop_when_started();
    EXPECT_EQ(run(), kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("starting", "start a", "start b", "started",
                                              "stopping", "stop b", "stop a", "stopped"));
}

TEST_F(HostTest, RollsBackStartedServicesWhenOneFails) {
    record("a");
    record("b", {.start = fail(Code::internal, "no"), .stop = {}});
    record("c");
    rig_.lifetime.on(Phase::started, [this] { diary_.add("started"); });
    EXPECT_EQ(run(), kExitStartFailed);
    EXPECT_THAT(diary_.entries(), ElementsAre("start a", "start b", "stop a"));
}

TEST_F(HostTest, StopBeforeStartTouchesNothing) {
    record("a");
    rig_.lifetime.stop("early");
    EXPECT_EQ(run(), kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre());
}

TEST_F(HostTest, StopDuringStartIsACleanExit) {
    record("a");
    rig_.lifetime.on(Phase::starting, [this] { rig_.lifetime.stop("during start"); });
    EXPECT_EQ(run(), kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre());
}

TEST_F(HostTest, RefusesDuplicateNamesAndListsThem) {
    record("a");
    record("a");
    record("b");
    record("b");
    const auto host = Host::create(std::move(builder_), {}, rig_.context);
    ASSERT_FALSE(host);
    EXPECT_THAT(host.error().message, HasSubstr("`a`, `b`"));
}

TEST_F(HostTest, EveryServiceIsStoppedThoughOthersFailTo) {
    record("a", {.start = {}, .stop = fail(Code::internal, "1")});
    record("b", {.start = {}, .stop = fail(Code::internal, "2")});
    record("c", {.start = {}, .stop = fail(Code::internal, "3")});
    stop_when_started();
    EXPECT_EQ(run(), kExitFault);
    EXPECT_EQ(diary_.entries().size(), 6U);
}

TEST_F(HostTest, EveryCallbackRunsThoughOneThrows) {
    rig_.lifetime.on(Phase::stopping, [] { throw std::runtime_error("bad"); });
    rig_.lifetime.on(Phase::stopping, [this] { diary_.add("second"); });
    stop_when_started();
    EXPECT_EQ(run(), kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("second"));
}

TEST_F(HostTest, BlockingLoopDoesNotBlockStartAndStopInterruptsIt) {
    loop("loop", [this](std::stop_token stop) -> Result<void> {
        rig_.clock.sleep_for(1h, stop);
        return fail(Code::cancelled, "stopped");
    });
    stop_when_started();
    EXPECT_EQ(run(), kExitClean);
}

TEST_F(HostTest, FaultsOfLoopsExitWith70AndAreAllKept) {
    for (const std::string name : {"x", "y", "z"}) {
        loop(name, [](std::stop_token) -> Result<void> { throw std::runtime_error("broken"); });
    }
    EXPECT_EQ(run(), kExitFault);
    EXPECT_GE(rig_.lifetime.faults().size(), 1U);
}

TEST_F(HostTest, WhatALoopThrowsIsKnownByItsTypeAndWhatAFactoryThrowsByItsText) {
    loop("loop", [](std::stop_token) -> Result<void> { throw std::out_of_range("DOE^JANE"); });
    EXPECT_EQ(run(), kExitFault);
    EXPECT_EQ(rig_.lifetime.faults().at(0).second.message, "unexpected std::out_of_range");
    Rig rig;
    HostBuilder builder;
    builder.add("a", []() -> std::unique_ptr<HostedService> {
        throw std::runtime_error("port 8080 is taken");
    });
    logging::Capture log;
    EXPECT_EQ((*Host::create(std::move(builder), {}, rig.context))->run(), kExitStartFailed);
    EXPECT_THAT(log.text(), HasSubstr("unexpected std::runtime_error: port 8080 is taken"));
}

TEST_F(HostTest, FaultDuringStopIsKept) {
    loop("loop", [this](std::stop_token stop) -> Result<void> {
        rig_.clock.sleep_for(1h, stop);
        return fail(Code::data_loss, "could not flush");
    });
    stop_when_started();
    EXPECT_EQ(run(), kExitFault);
}

class HostTimeTest : public HostTest {
protected:
    void script(const std::string& name, Scripted::Start start, Scripted::Stop stop) {
        builder_.add(name, [=] { return std::make_unique<Scripted>(start, stop); });
    }
    void script_start(const std::string& name, Scripted::Start start) {
        script(name, std::move(start), [](Deadline) -> Result<void> { return {}; });
    }
    void script_stop(const std::string& name, Scripted::Stop stop) {
        script(name, [](std::stop_token) -> Result<void> { return {}; }, std::move(stop));
    }
    // Runs the host on a thread of its own and passes time, while it and its guard sleep, until it
    // has ended. An exit by force fires `forced_`, with which the services under test end.
    int run_while_time_passes(HostOptions options) {
        std::atomic<bool> done = false;
        int code = -1;
        std::jthread host([&](std::stop_token stop) {
            auto made = Host::create(std::move(builder_), options, rig_.context);
            (*made)->set_hard_exit([this](int exit_code) {
                forced_with_ = exit_code;
                forced_.request_stop();
            });
            code = (*made)->run();
            made->reset();
            done = true;
            // In place of the two that slept, so that nobody waits for them in vain.
            const std::jthread other([&] { rig_.clock.sleep_until(SteadyTime::max(), stop); });
            rig_.clock.sleep_until(SteadyTime::max(), stop);
        });
        while (true) {
            rig_.clock.wait_for_sleepers(2);
            if (done) {
                return code;
            }
            rig_.clock.advance(50ms);
        }
    }
    [[nodiscard]] SteadyTime::duration since(SteadyTime begin) const {
        return rig_.clock.steady_now() - begin;
    }

    std::stop_source forced_;
    std::atomic<int> forced_with_ = 0;
};

TEST_F(HostTimeTest, AStartThatTakesTooLongIsAbortedAndRolledBack) {
    record("a");
    const SteadyTime began = rig_.clock.steady_now();
    script_start("b", [&](std::stop_token aborted) -> Result<void> {
        EXPECT_FALSE(rig_.clock.sleep_for(1h, aborted));
        EXPECT_GE(since(began), 5s);
        return fail(Code::cancelled, "aborted");
    });
    record("c");
    EXPECT_EQ(run_while_time_passes({.start_timeout = 5s}), kExitStartFailed);
    EXPECT_THAT(diary_.entries(), ElementsAre("start a", "stop a"));
    EXPECT_EQ(rig_.lifetime.cause(), "start of `b` failed");
    EXPECT_EQ(forced_with_, 0);
}

TEST_F(HostTimeTest, AStartThatIgnoresItsAbortEndsTheProcess) {
    record("a");
    script_start("b", [&](std::stop_token) -> Result<void> {
        rig_.clock.sleep_for(1h, forced_.get_token());
        return {};
    });
    EXPECT_EQ(run_while_time_passes({.start_timeout = 5s}), kExitStopTimedOut);
    EXPECT_EQ(forced_with_, kExitStartFailed);
}

TEST_F(HostTimeTest, AStopDuringAHangingStartIsACleanExit) {
    record("a");
    script_start("b", [&](std::stop_token aborted) -> Result<void> {
        rig_.lifetime.stop("signal SIGTERM");
        EXPECT_FALSE(rig_.clock.sleep_for(1h, aborted));
        return fail(Code::cancelled, "aborted");
    });
    EXPECT_EQ(run_while_time_passes({}), kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("start a", "stop a"));
}

TEST_F(HostTimeTest, ServesUnreadyThroughTheDrainDelayBeforeAnythingStops) {
    SteadyTime asked;
    SteadyTime stopped;
    rig_.lifetime.on(Phase::stopping, [&] { asked = rig_.clock.steady_now(); });
    script_stop("listener", [&](Deadline) -> Result<void> {
        stopped = rig_.clock.steady_now();
        EXPECT_EQ(rig_.lifetime.phase(), Phase::stopping);
        EXPECT_FALSE(rig_.context.ready());
        return {};
    });
    loop("loop", [&](std::stop_token stop) -> Result<void> {
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any().wait(lock, stop, [] { return false; });
        EXPECT_GE(rig_.clock.steady_now() - asked, 3s);
        return {};
    });
    stop_when_started();
    EXPECT_EQ(run_while_time_passes({.drain_delay = 3s}), kExitClean);
    EXPECT_GE(stopped - asked, 3s);
}

TEST_F(HostTimeTest, AFailedStartDoesNotDrain) {
    const SteadyTime began = rig_.clock.steady_now();
    record("a", {.start = fail(Code::internal, "no"), .stop = {}});
    // Time stands still: a drain would never end.
    EXPECT_EQ(run({.drain_delay = 3s}), kExitStartFailed);
    EXPECT_EQ(since(began), 0s);
}

TEST_F(HostTimeTest, ASlowStopDoesNotShortenTheNextOnesLimit) {
    for (const std::string name : {"first", "second"}) {
        script_stop(name, [&](Deadline limit) -> Result<void> {
            EXPECT_EQ(limit.remaining(rig_.clock), 10s);
            rig_.clock.sleep_until(limit.at(), {});
            return fail(Code::deadline_exceeded, "slow");
        });
    }
    stop_when_started();
    EXPECT_EQ(run_while_time_passes({.stop_timeout = 40s, .service_stop_timeout = 10s}),
              kExitStopTimedOut);
    EXPECT_EQ(forced_with_, 0);
}

TEST_F(HostTimeTest, AHangingStopIsNamedAndEndsTheProcess) {
    record("a");
    script_stop("b", [&](Deadline) -> Result<void> {
        rig_.clock.sleep_for(10h, forced_.get_token());
        return {};
    });
    stop_when_started();
    logging::Capture log;
    EXPECT_EQ(run_while_time_passes({.stop_timeout = 30s}), kExitStopTimedOut);
    EXPECT_EQ(forced_with_, kExitStopTimedOut);
    EXPECT_THAT(log.text(), HasSubstr("\"while\":\"stopping service `b`\""));
}

TEST_F(HostTimeTest, TheWatchdogLooksAtTheStopAsWell) {
    std::vector<std::string> stalled;
    script_stop("slow", [&](Deadline) -> Result<void> {
        rig_.clock.sleep_for(35s, {});
        stalled = rig_.watchdog.stalled();
        return {};
    });
    record("quick");
    stop_when_started();
    logging::Capture log;
    run_while_time_passes({.stop_timeout = 60s, .service_stop_timeout = 60s});
    EXPECT_THAT(stalled, ElementsAre("stopping service `slow`"));
    EXPECT_EQ(rig_.watchdog.misses(), 1);
    EXPECT_THAT(log.text(), HasSubstr("\"loop\":\"stopping service `slow`\""));
    EXPECT_THAT(rig_.watchdog.stalled(), ElementsAre());
}

TEST_F(HostTimeTest, TheStopOfAGroupNamesThoseThatHang) {
    std::latch stopping(3);  // No time passes before all have their limits.
    builder_.group("group", [&](HostBuilder::Group& group) {
        for (const std::string name : {"a", "b", "c"}) {
            group.add(name, [&, name] {
                return std::make_unique<Scripted>(
                    [](std::stop_token) -> Result<void> { return {}; },
                    [&, name](Deadline limit) -> Result<void> {
                        EXPECT_EQ(limit.remaining(rig_.clock), 10s);
                        stopping.arrive_and_wait();
                        if (name != "b") {
                            rig_.clock.sleep_for(10h, forced_.get_token());
                        }
                        return {};
                    });
            });
        }
    });
    stop_when_started();
    logging::Capture log;
    EXPECT_EQ(run_while_time_passes({.stop_timeout = 30s}), kExitStopTimedOut);
    EXPECT_THAT(log.text(), HasSubstr("\"while\":\"stopping services `a`, `c`\""));
}

TEST_F(HostTimeTest, TheStopIsLimitedThoughTheThreadThatAskedForItIsHeldUp) {
    std::latch stopping(1);
    std::optional<std::stop_callback<std::function<void()>>> held_up;
    std::jthread asker;
    rig_.lifetime.on(Phase::started, [&] {
        // Callbacks that were registered last run first: the host's comes after this one.
        held_up.emplace(rig_.lifetime.stopping(), [&] { stopping.wait(); });
        asker = std::jthread([&] { rig_.lifetime.stop("test"); });
    });
    script_stop("a", [&](Deadline) -> Result<void> {
        stopping.count_down();
        rig_.clock.sleep_for(10h, forced_.get_token());
        return {};
    });
    EXPECT_EQ(run_while_time_passes({.stop_timeout = 30s}), kExitStopTimedOut);
    EXPECT_EQ(forced_with_, kExitStopTimedOut);
}

TEST_F(HostTest, StopsFromManyThreadsAtOnceAreOne) {
    record("a");
    std::vector<std::jthread> threads;
    rig_.lifetime.on(Phase::started, [&] {
        for (int i = 0; i < 8; ++i) {
            threads.emplace_back([this, i] { rig_.lifetime.stop("thread " + std::to_string(i)); });
        }
    });
    EXPECT_EQ(run(), kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("start a", "stop a"));
    EXPECT_THAT(rig_.lifetime.cause(), testing::StartsWith("thread "));
}

TEST_F(HostTest, AHostThatNeverRanTouchesNothing) {
    record("a");
    EXPECT_TRUE(Host::create(std::move(builder_), {}, rig_.context));
    EXPECT_THAT(diary_.entries(), ElementsAre());
}

TEST_F(HostTest, IgnoredFaultLeavesTheHostRunning) {
    loop("loop", [](std::stop_token) -> Result<void> { return fail(Code::internal, "broken"); },
         {.on_fault = OnEnd::ignore});
    std::jthread host([this] { EXPECT_EQ(run(), kExitClean); });
    while (rig_.health.overall() != health::Status::unhealthy ||
           rig_.lifetime.phase() != Phase::started) {
        std::this_thread::yield();
    }
    rig_.lifetime.stop("test");
}

TEST_F(HostTest, RestartBuildsAFreshInstanceAfterABackoff) {
    auto made = std::make_shared<int>(0);
    builder_.add("loop",
                 [this, made] {
                     const int number = ++*made;
                     diary_.add("made " + std::to_string(number));
                     return std::make_unique<Loop>(
                         "loop", rig_.context,
                         [this, number](std::stop_token stop) -> Result<void> {
                             if (number == 1) {
                                 return fail(Code::unavailable, "first one breaks");
                             }
                             diary_.add("runs");
                             rig_.clock.sleep_for(1h, stop);
                             return {};
                         });
                 },
                 {.on_fault = OnEnd::restart});
    std::jthread host([this] { EXPECT_EQ(run(), kExitClean); });
    diary_.wait_for_count(1);
    // Advancing in small steps, since the host plans the restart on its own thread.
    while (diary_.entries().size() < 3) {
        rig_.clock.advance(100ms);
        std::this_thread::yield();
    }
    EXPECT_THAT(diary_.entries(), ElementsAre("made 1", "made 2", "runs"));
    EXPECT_EQ(rig_.lifetime.services().at(0).restarts, 1);
    rig_.lifetime.stop("test");
}

TEST_F(HostTest, TooManyRestartsStopTheHost) {
    loop("loop", [](std::stop_token) -> Result<void> { return fail(Code::internal, "broken"); },
         {.on_fault = OnEnd::restart, .backoff = {1ms, 1ms, 1ms}, .max_restarts = 3});
    std::jthread host([&] { EXPECT_EQ(run(), kExitFault); });
    while (!rig_.lifetime.stopping().stop_requested()) {
        rig_.clock.advance(1ms);
        std::this_thread::yield();
    }
    host.join();
    EXPECT_THAT(rig_.lifetime.faults().at(0).second.message, HasSubstr("restarted 3 times"));
}

}  // namespace
}  // namespace gantry::hosting
