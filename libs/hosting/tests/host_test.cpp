#include "gantry/hosting/host.hpp"
#include "gantry/hosting/background_service.hpp"

#include "rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
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

TEST_F(HostTest, FaultDuringStopIsKept) {
    loop("loop", [this](std::stop_token stop) -> Result<void> {
        rig_.clock.sleep_for(1h, stop);
        return fail(Code::data_loss, "could not flush");
    });
    stop_when_started();
    EXPECT_EQ(run(), kExitFault);
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
    std::atomic<bool> done = false;
    std::jthread host([&] {
        EXPECT_EQ(run(), kExitFault);
        done = true;
    });
    while (!done) {
        rig_.clock.advance(1ms);
        std::this_thread::yield();
    }
    EXPECT_THAT(rig_.lifetime.faults().at(0).second.message, HasSubstr("restarted 3 times"));
}

}  // namespace
}  // namespace gantry::hosting
