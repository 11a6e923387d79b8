// Groups, hooks and the outermost service: what starts beside what, and what comes after it.

#include "gantry/hosting/host.hpp"

#include "gantry/logging/log.hpp"
#include "rig.hpp"
#include "scripted.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <latch>
#include <stdexcept>

namespace gantry::hosting {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class GroupTest : public testing::Test {
protected:
    ServiceFactory scripted(Scripted::Start start, Scripted::Stop stop) {
        return [=] { return std::make_unique<Scripted>(start, stop); };
    }
    // Writes its start and stop into the diary.
    ServiceFactory recorded(const std::string& name) {
        return scripted(
            [this, name](std::stop_token) -> Result<void> {
                diary_.add("start " + name);
                return {};
            },
            [this, name](Deadline) -> Result<void> {
                diary_.add("stop " + name);
                return {};
            });
    }
    int run(std::stop_token cancelled = {}) {
        auto made = Host::create(std::move(builder_), {}, rig_.context);
        EXPECT_TRUE(made) << made.error().message;
        host_ = *std::move(made);
        return host_->run(std::move(cancelled));
    }
    void stop_when_started() {
        rig_.lifetime.on(Phase::started, [this] { rig_.lifetime.stop("test"); });
    }
    void tell_phases() {
        for (const auto& [phase, name] :
             {std::pair{Phase::starting, "starting"}, std::pair{Phase::started, "started"},
              std::pair{Phase::stopping, "stopping"}, std::pair{Phase::stopped, "stopped"}}) {
            rig_.lifetime.on(phase, [this, name] { diary_.add(name); });
        }
    }

    Rig rig_;
    Diary diary_;
    HostBuilder builder_;
    std::unique_ptr<Host> host_;
};

TEST_F(GroupTest, AFailureInsideAbortsTheOthersAndRollsBackOnce) {
    std::latch waiting(1);
    builder_.add("before", recorded("before"));
    builder_.group("group", [&](HostBuilder::Group& group) {
        group.add("quick", recorded("quick"));
        group.add("slow", scripted(
                              [&](std::stop_token aborted) -> Result<void> {
                                  waiting.count_down();
                                  EXPECT_FALSE(rig_.clock.sleep_for(1h, aborted));
                                  diary_.add("abort slow");
                                  return fail(Code::cancelled, "aborted");
                              },
                              [&](Deadline) -> Result<void> {
                                  diary_.add("stop slow");
                                  return {};
                              }));
        group.add("broken", scripted(
                                [&](std::stop_token) -> Result<void> {
                                    waiting.wait();
                                    diary_.wait_for_count(2);
                                    return fail(Code::unavailable, "no disk");
                                },
                                [&](Deadline) -> Result<void> {
                                    diary_.add("stop broken");
                                    return {};
                                }));
    });
    builder_.add("after", recorded("after"));
    tell_phases();
    EXPECT_EQ(run(), kExitStartFailed);
    EXPECT_THAT(diary_.entries(),
                ElementsAre("starting", "start before", "start quick", "abort slow", "stopping",
                            "stop quick", "stop before", "stopped"));
    ASSERT_TRUE(host_->report().start_failure);
    EXPECT_EQ(host_->report().start_failure->service, "broken");
    EXPECT_EQ(host_->report().start_failure->error.code, Code::unavailable);
}

TEST_F(GroupTest, AStopDuringAGroupsStartReachesEveryMember) {
    std::latch starting(2);
    builder_.group("group", [&](HostBuilder::Group& group) {
        for (const std::string name : {"a", "b"}) {
            group.add(name, scripted(
                                [&](std::stop_token aborted) -> Result<void> {
                                    starting.arrive_and_wait();
                                    rig_.lifetime.stop("test");
                                    EXPECT_FALSE(rig_.clock.sleep_for(1h, aborted));
                                    return fail(Code::cancelled, "aborted");
                                },
                                [](Deadline) -> Result<void> { return {}; }));
        }
    });
    EXPECT_EQ(run(), kExitClean);
}

TEST_F(GroupTest, TheErrorsOfARollbackAreKeptWithTheFirstOne) {
    const auto failing_stop = [this](const std::string& text) {
        return scripted([](std::stop_token) -> Result<void> { return {}; },
                        [text](Deadline) -> Result<void> { return fail(Code::internal, text); });
    };
    builder_.add("a", failing_stop("first"));
    builder_.group("group", [&](HostBuilder::Group& group) {
        group.add("b", failing_stop("second")).add("c", failing_stop("third"));
    });
    builder_.add("d", []() -> std::unique_ptr<HostedService> { throw std::runtime_error("bad"); });
    EXPECT_EQ(run(), kExitStartFailed);
    const auto& report = host_->report();
    EXPECT_THAT(report.start_failure->error.message,
                AllOf(HasSubstr("bad"), HasSubstr("rolling back `a`: first"),
                      HasSubstr("rolling back `b`: second"), HasSubstr("`c`: third")));
    std::vector<std::string> names;
    std::ranges::transform(report.stop_failures, std::back_inserter(names), &ServiceError::service);
    EXPECT_THAT(names, UnorderedElementsAre("a", "b", "c"));
    EXPECT_EQ(names.back(), "a");
}

TEST_F(GroupTest, AMemberIsSupervisedLikeAnyOther) {
    HostedService::EndCallback end;
    class Ending final : public HostedService {
    public:
        explicit Ending(EndCallback& end) : end_(end) {}
        Result<void> start(std::stop_token) override { return {}; }
        Result<void> stop(Deadline) override { return {}; }
        void on_end(EndCallback callback) override { end_ = std::move(callback); }

    private:
        EndCallback& end_;
    };
    builder_.group("group", [&](HostBuilder::Group& group) {
        group.add("a", [&] { return std::make_unique<Ending>(end); }).add("b", recorded("b"));
    });
    rig_.lifetime.on(Phase::started, [&] { end(fail(Code::internal, "broken")); });
    EXPECT_EQ(run(), kExitFault);
    EXPECT_EQ(rig_.lifetime.cause(), "fault of `a`");
    EXPECT_EQ(rig_.lifetime.services().at(0).last_error, "INTERNAL");
}

TEST_F(GroupTest, NamesAreUsedOnce) {
    builder_.group("g", [&](HostBuilder::Group& group) { group.add("a", recorded("a")); });
    builder_.group("g", [&](HostBuilder::Group& group) { group.add("b", recorded("b")); });
    builder_.add("a", recorded("a"));
    builder_.on_starting("b", [](std::stop_token) -> Result<void> { return {}; });
    const auto host = Host::create(std::move(builder_), {}, rig_.context);
    ASSERT_FALSE(host);
    EXPECT_THAT(host.error().message, HasSubstr("`a`, `b`, `g`"));
}

TEST_F(GroupTest, HealthChecksThatShareANameAreAllListed) {
    for (const std::string name : {"x", "y", "x", "z", "y", "y"}) {
        (void)rig_.health.add({.name = name, .run = [](auto) { return health::CheckResult{}; }});
    }
    const auto host = Host::create(std::move(builder_), {}, rig_.context);
    ASSERT_FALSE(host);
    EXPECT_THAT(host.error().message, HasSubstr("`x`, `y`"));
}

TEST_F(GroupTest, HooksRunBeforeTheFirstStartAndAfterTheLast) {
    builder_.add("a", recorded("a"));
    builder_.on_started("ready", [this](std::stop_token) -> Result<void> {
        EXPECT_EQ(rig_.lifetime.phase(), Phase::starting);
        diary_.add("hook ready");
        return {};
    });
    builder_.on_starting("migrate", [this](std::stop_token) -> Result<void> {
        diary_.add("hook migrate");
        return {};
    });
    tell_phases();
    stop_when_started();
    EXPECT_EQ(run(), kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("starting", "hook migrate", "start a", "hook ready",
                                              "started", "stopping", "stop a", "stopped"));
}

TEST_F(GroupTest, AHookThatFailsSkipsWhatComesAfterIt) {
    builder_.on_starting("first", [](std::stop_token) -> Result<void> {
        return fail(Code::failed_precondition, "too old");
    });
    builder_.on_starting("second", [this](std::stop_token) -> Result<void> {
        diary_.add("second");
        return {};
    });
    builder_.add("a", recorded("a"));
    EXPECT_EQ(run(), kExitStartFailed);
    EXPECT_THAT(diary_.entries(), ElementsAre());
    EXPECT_EQ(rig_.lifetime.cause(), "start of `first` failed");
}

TEST_F(GroupTest, AStartedHookThatThrowsRollsBack) {
    builder_.add("a", recorded("a"));
    builder_.on_started("last",
                        [](std::stop_token) -> Result<void> { throw std::runtime_error("bad"); });
    tell_phases();
    EXPECT_EQ(run(), kExitStartFailed);
    EXPECT_THAT(diary_.entries(),
                ElementsAre("starting", "start a", "stopping", "stop a", "stopped"));
}

TEST_F(GroupTest, TheOutermostStartsFirstAndStopsAfterTheStop) {
    builder_.add("a", recorded("a"));
    builder_.add_outermost("admin", recorded("admin"));
    builder_.add("b", recorded("b"));
    tell_phases();
    stop_when_started();
    EXPECT_EQ(run(), kExitClean);
    EXPECT_THAT(diary_.entries(),
                ElementsAre("starting", "start admin", "start a", "start b", "started", "stopping",
                            "stop b", "stop a", "stopped", "stop admin"));
}

}  // namespace
}  // namespace gantry::hosting
