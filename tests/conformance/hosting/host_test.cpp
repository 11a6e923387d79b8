// Tests to hold, Host: order, failures, cancellation and limits of a process's start and stop.

#include "stage.hpp"

#include "gantry/logging/log.hpp"

#include <gmock/gmock.h>
#include <latch>
#include <optional>
#include <stdexcept>

namespace gantry::conformance {
namespace {

using hosting::Phase;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Host : public Stage {};

TEST_F(Host, CallsBackInFullOrderSequentially) {
    record("a");
    record("b");
    record_phases();
    stop_when_started();
    EXPECT_EQ(run(), hosting::kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("starting", "start a", "start b", "started",
                                              "stopping", "stop b", "stop a", "stopped"));
}

TEST_F(Host, CallsBackInFullOrderGrouped) {
    const auto hook = [this](const std::string& name) -> hosting::StartHook {
        return [this, name](std::stop_token) -> Result<void> {
            diary_.add("hook " + name);
            return {};
        };
    };
    // The members of a group are named alike here, because they may start and stop in any order.
    record("before");
    builder_.group("group", [this](hosting::HostBuilder::Group& group) {
        for (const std::string name : {"a", "b"}) {
            group.add(name, [this] { return recorder("member"); });
        }
    });
    record("after");
    builder_.add_outermost("admin", [this] { return recorder("admin"); });
    builder_.on_starting("first", hook("first")).on_started("last", hook("last"));
    record_phases();
    stop_when_started();
    EXPECT_EQ(run(), hosting::kExitClean);
    EXPECT_THAT(
        diary_.entries(),
        ElementsAre("starting", "hook first", "start admin", "start before", "start member",
                    "start member", "start after", "hook last", "started", "stopping", "stop after",
                    "stop member", "stop member", "stop before", "stopped", "stop admin"));
}

TEST_F(Host, FirstFailureSkipsLaterStartsAndApplicationStarted) {
    record("a");
    record("b", fail(Code::internal, "no"));
    record("c");
    process_.lifetime.on(Phase::started, [this] { diary_.add("started"); });
    EXPECT_EQ(run(), hosting::kExitStartFailed);
    EXPECT_THAT(diary_.entries(), ElementsAre("start a", "start b", "stop a"));
}

TEST_F(Host, RollsBackInReverseExactlyOnce) {
    for (const std::string name : {"a", "b", "c"}) {
        record(name);
    }
    record("d", fail(Code::internal, "no"));
    // A stop that is asked for meanwhile does not stop anything a second time.
    std::vector<std::jthread> askers;
    process_.lifetime.on(Phase::stopping, [&] {
        for (int i = 0; i < 4; ++i) {
            askers.emplace_back([this] { process_.lifetime.stop("test"); });
        }
    });
    EXPECT_EQ(run(), hosting::kExitStartFailed);
    EXPECT_THAT(diary_.entries(), ElementsAre("start a", "start b", "start c", "start d", "stop c",
                                              "stop b", "stop a"));
}

TEST_F(Host, ARollbacksErrorsAreReportedBesideTheFirstOne) {
    record("a", {}, fail(Code::internal, "cannot stop"));
    record("b", fail(Code::internal, "cannot start"));
    logging::Capture log;
    const auto host = create();
    EXPECT_EQ(host->run(), hosting::kExitStartFailed);
    EXPECT_THAT(log.text(), AllOf(HasSubstr("cannot start"), HasSubstr("cannot stop")));
    ASSERT_TRUE(host->report().start_failure);
    EXPECT_EQ(host->report().start_failure->service, "b");
    EXPECT_THAT(host->report().start_failure->error.message,
                AllOf(testing::StartsWith("cannot start"), HasSubstr("`a`: cannot stop")));
}

TEST_F(Host, StartCancelledByCaller) {
    std::stop_source caller;
    record("a");
    script("b", {.start = [&](std::stop_token aborted) -> Result<void> {
               caller.request_stop();
               EXPECT_FALSE(process_.clock.sleep_for(1h, aborted));
               return fail(Code::cancelled, "aborted");
           }});
    record("c");
    record_phases();
    EXPECT_EQ(create()->run(caller.get_token()), hosting::kExitClean);
    EXPECT_THAT(diary_.entries(),
                ElementsAre("starting", "start a", "stopping", "stop a", "stopped"));
    EXPECT_EQ(process_.lifetime.cause(), "cancelled by the caller");
}

TEST_F(Host, StartCancelledByStop) {
    record("a");
    script("b", {.start = [this](std::stop_token aborted) -> Result<void> {
               process_.lifetime.stop("signal SIGTERM");
               EXPECT_FALSE(process_.clock.sleep_for(1h, aborted));
               return fail(Code::cancelled, "aborted");
           }});
    record("c");
    EXPECT_EQ(run(), hosting::kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("start a", "stop a"));
    EXPECT_EQ(process_.lifetime.cause(), "signal SIGTERM");
}

TEST_F(Host, StartCancelledByTimeout) {
    record("a");
    const SteadyTime began = now();
    script("b", {.start = [&](std::stop_token aborted) -> Result<void> {
               EXPECT_FALSE(process_.clock.sleep_for(1h, aborted));
               EXPECT_GE(now() - began, 5s);
               return fail(Code::cancelled, "aborted");
           }});
    record("c");
    EXPECT_EQ(run_while_time_passes({.start_timeout = 5s}), hosting::kExitStartFailed);
    EXPECT_THAT(diary_.entries(), ElementsAre("start a", "stop a"));
    EXPECT_EQ(process_.lifetime.cause(), "start of `b` failed");
    EXPECT_EQ(forced_with_, 0);
}

TEST_F(Host, AStartThatIgnoresItsCancellationEndsTheProcess) {
    record("a");
    script("b", {.start = [&](std::stop_token) -> Result<void> {
               process_.clock.sleep_for(1h, forced_.get_token());
               return {};
           }});
    EXPECT_EQ(run_while_time_passes({.start_timeout = 5s}), hosting::kExitStopTimedOut);
    EXPECT_EQ(forced_with_, hosting::kExitStartFailed);
}

TEST_F(Host, StopNeverStartedTouchesNothing) {
    record("a");
    record_phases();
    process_.lifetime.stop("early");
    EXPECT_EQ(run(), hosting::kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("stopping", "stopped"));
}

TEST_F(Host, StopTwiceIsOne) {
    record("a");
    process_.lifetime.on(Phase::stopping, [this] { process_.lifetime.stop("second"); });
    stop_when_started();
    EXPECT_EQ(run(), hosting::kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("start a", "stop a"));
    EXPECT_EQ(process_.lifetime.cause(), "test");
}

TEST_F(Host, StopConcurrentlyIsOne) {
    record("a");
    std::vector<std::jthread> threads;
    process_.lifetime.on(Phase::started, [&] {
        for (int i = 0; i < 8; ++i) {
            threads.emplace_back(
                [this, i] { process_.lifetime.stop("thread " + std::to_string(i)); });
        }
    });
    EXPECT_EQ(run(), hosting::kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("start a", "stop a"));
    EXPECT_THAT(process_.lifetime.cause(), testing::StartsWith("thread "));
}

TEST_F(Host, StopDuringStartIsACleanExit) {
    record("a");
    script("b", {.start = [this](std::stop_token) -> Result<void> {
                     process_.lifetime.stop("during start");
                     diary_.add("start b");
                     return {};
                 },
                 .stop = [this](Deadline) -> Result<void> {
                     diary_.add("stop b");
                     return {};
                 }});
    record("c");
    EXPECT_EQ(run(), hosting::kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("start a", "start b", "stop b", "stop a"));
}

TEST_F(Host, DestroyedWithoutStopTouchesNothing) {
    record("a");
    record_phases();
    create().reset();
    EXPECT_THAT(diary_.entries(), IsEmpty());
}

TEST_F(Host, ThreeStopErrorsAreAllReported) {
    for (const std::string name : {"a", "b", "c"}) {
        record(name, {}, fail(Code::internal, "cannot close " + name));
    }
    stop_when_started();
    logging::Capture log;
    const auto host = create();
    EXPECT_EQ(host->run(), hosting::kExitFault);
    EXPECT_EQ(diary_.entries().size(), 6U);
    EXPECT_EQ(host->report().stop_failures.size(), 3U);
    EXPECT_THAT(log.text(), AllOf(HasSubstr("cannot close a"), HasSubstr("cannot close b"),
                                  HasSubstr("cannot close c")));
}

TEST_F(Host, SlowADoesNotShortenB) {
    for (const std::string name : {"b", "a"}) {
        script(name, {.stop = [&](Deadline limit) -> Result<void> {
                   EXPECT_EQ(limit.remaining(process_.clock), 10s);
                   process_.clock.sleep_until(limit.at(), {});
                   return fail(Code::deadline_exceeded, "slow");
               }});
    }
    stop_when_started();
    EXPECT_EQ(run_while_time_passes({.stop_timeout = 40s, .service_stop_timeout = 10s}),
              hosting::kExitStopTimedOut);
    EXPECT_EQ(forced_with_, 0);
}

TEST_F(Host, CulpritIsNamedAndExitCodeIs124) {
    record("a");
    script("b", {.stop = [&](Deadline) -> Result<void> {
               process_.clock.sleep_for(10h, forced_.get_token());
               return {};
           }});
    stop_when_started();
    logging::Capture log;
    EXPECT_EQ(run_while_time_passes({.stop_timeout = 30s}), hosting::kExitStopTimedOut);
    EXPECT_EQ(forced_with_, hosting::kExitStopTimedOut);
    EXPECT_THAT(log.text(), HasSubstr("\"while\":\"stopping service `b`\""));
}

TEST_F(Host, TheStopIsLimitedThoughTheThreadThatAskedForItIsHeldUp) {
    std::latch stopping(1);
    std::optional<std::stop_callback<std::function<void()>>> held_up;
    std::jthread asker;
    process_.lifetime.on(Phase::started, [&] {
        // Callbacks that were registered last run first: the host's comes after this one.
        held_up.emplace(process_.lifetime.stopping(), [&] { stopping.wait(); });
        asker = std::jthread([&] { process_.lifetime.stop("test"); });
    });
    script("a", {.stop = [&](Deadline) -> Result<void> {
               stopping.count_down();
               process_.clock.sleep_for(10h, forced_.get_token());
               return {};
           }});
    EXPECT_EQ(run_while_time_passes({.stop_timeout = 30s}), hosting::kExitStopTimedOut);
    EXPECT_EQ(forced_with_, hosting::kExitStopTimedOut);
}

TEST_F(Host, ServesUnreadyThroughTheDrainDelayBeforeAnythingStops) {
    SteadyTime asked;
    SteadyTime stopped;
    process_.lifetime.on(Phase::stopping, [&] { asked = now(); });
    script("listener", {.stop = [&](Deadline) -> Result<void> {
               stopped = now();
               EXPECT_EQ(process_.lifetime.phase(), Phase::stopping);
               EXPECT_FALSE(process_.context.ready());
               return {};
           }});
    loop("loop", [&](std::stop_token stop) -> Result<void> {
        wait_for(stop);
        EXPECT_GE(now() - asked, 3s);
        return {};
    });
    stop_when_started();
    EXPECT_EQ(run_while_time_passes({.drain_delay = 3s}), hosting::kExitClean);
    EXPECT_GE(stopped - asked, 3s);
}

TEST_F(Host, AFailedStartDoesNotDrain) {
    const SteadyTime began = now();
    record("a", fail(Code::internal, "no"));
    // Time stands still: a drain would never end.
    EXPECT_EQ(run({.drain_delay = 3s}), hosting::kExitStartFailed);
    EXPECT_EQ(now() - began, 0s);
}

TEST_F(Host, TheWatchdogLooksAtTheStopAsWell) {
    std::vector<std::string> stalled;
    script("slow", {.stop = [&](Deadline) -> Result<void> {
               process_.clock.sleep_for(35s, {});
               stalled = process_.watchdog.stalled();
               return {};
           }});
    record("quick");
    stop_when_started();
    logging::Capture log;
    run_while_time_passes({.stop_timeout = 60s, .service_stop_timeout = 60s});
    EXPECT_THAT(stalled, ElementsAre("stopping service `slow`"));
    EXPECT_EQ(process_.watchdog.misses(), 1);
    EXPECT_THAT(log.text(), HasSubstr("\"loop\":\"stopping service `slow`\""));
    EXPECT_THAT(process_.watchdog.stalled(), IsEmpty());
}

TEST_F(Host, TheStopOfAGroupNamesThoseThatHang) {
    std::latch stopping(3);  // No time passes before all have their limits.
    builder_.group("group", [&](hosting::HostBuilder::Group& group) {
        for (const std::string name : {"a", "b", "c"}) {
            group.add(name, [&, name] {
                return std::make_unique<Scripted>(
                    Scripted::Script{.stop = [&, name](Deadline limit) -> Result<void> {
                        EXPECT_EQ(limit.remaining(process_.clock), 10s);
                        stopping.arrive_and_wait();
                        if (name != "b") {
                            process_.clock.sleep_for(10h, forced_.get_token());
                        }
                        return {};
                    }});
            });
        }
    });
    stop_when_started();
    logging::Capture log;
    EXPECT_EQ(run_while_time_passes({.stop_timeout = 30s}), hosting::kExitStopTimedOut);
    EXPECT_THAT(log.text(), HasSubstr("\"while\":\"stopping services `a`, `c`\""));
}

TEST_F(Host, CallbacksAllRunThoughEachThrows) {
    for (const Phase phase : {Phase::starting, Phase::started, Phase::stopping, Phase::stopped}) {
        for (int i = 0; i < 3; ++i) {
            process_.lifetime.on(phase, [this] {
                diary_.add("called");
                throw std::runtime_error("bad");
            });
        }
    }
    record("a");
    stop_when_started();
    run();
    EXPECT_EQ(std::ranges::count(diary_.entries(), "called"), 12);
    EXPECT_EQ(std::ranges::count(diary_.entries(), "stop a"), 1);
}

TEST_F(Host, SequentialStartsDoNotOverlap) {
    std::atomic<int> inside = 0;
    for (const std::string name : {"a", "b", "c"}) {
        script(name, {.start = [&](std::stop_token) -> Result<void> {
                   EXPECT_EQ(++inside, 1);
                   // Gives another one the time to begin too early.
                   for (int i = 0; i < 1000; ++i) {
                       std::this_thread::yield();
                   }
                   --inside;
                   return {};
               }});
    }
    stop_when_started();
    EXPECT_EQ(run(), hosting::kExitClean);
}

TEST_F(Host, StartsInAGroupTrulyOverlap) {
    // Each waits in its start, and in its stop, until all are there.
    std::latch starting(3);
    std::latch stopping(3);
    builder_.group("group", [&](hosting::HostBuilder::Group& group) {
        for (const std::string name : {"a", "b", "c"}) {
            group.add(name, [&] {
                return std::make_unique<Scripted>(
                    Scripted::Script{.start = [&](std::stop_token) -> Result<void> {
                                         starting.arrive_and_wait();
                                         return {};
                                     },
                                     .stop = [&](Deadline) -> Result<void> {
                                         stopping.arrive_and_wait();
                                         return {};
                                     }});
            });
        }
    });
    stop_when_started();
    EXPECT_EQ(run(), hosting::kExitClean);
}

TEST_F(Host, WhatAFactoryThrowsIsKnownByItsText) {
    builder_.add("a", []() -> std::unique_ptr<hosting::HostedService> {
        throw std::runtime_error("port 8080 is taken");
    });
    logging::Capture log;
    EXPECT_EQ(run(), hosting::kExitStartFailed);
    EXPECT_THAT(log.text(), HasSubstr("unexpected std::runtime_error: port 8080 is taken"));
}

TEST_F(Host, RefusesDuplicateNamesAndListsThem) {
    for (const std::string name : {"a", "a", "b", "b", "c"}) {
        record(name);
    }
    const auto host = hosting::Host::create(std::move(builder_), {}, process_.context);
    ASSERT_FALSE(host);
    EXPECT_THAT(host.error().message, HasSubstr("`a`, `b`"));
}

}  // namespace
}  // namespace gantry::conformance
