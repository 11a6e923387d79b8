// Tests to hold, Background: loops, their faults, and what the host does about them.

#include "stage.hpp"

#include "gantry/logging/log.hpp"

#include <gmock/gmock.h>
#include <algorithm>
#include <array>
#include <barrier>
#include <latch>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace gantry::conformance {
namespace {

using hosting::OnEnd;
using hosting::Phase;
using testing::AllOf;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class Background : public Stage {
protected:
    // Waits, without sleeping, until the service shows this state in its health.
    void wait_for_health(const std::string& name, health::Status status) const {
        while (true) {
            for (const auto& check : process_.health.snapshot()) {
                if (check.name == "service:" + name && check.status == status) {
                    return;
                }
            }
            std::this_thread::yield();
        }
    }
};

TEST_F(Background, StartReturnsWhileWorkRuns) {
    std::latch running(1);
    std::latch may_end(1);
    Loop loop("loop", process_.context, [&](std::stop_token) -> Result<void> {
        running.count_down();
        may_end.wait();
        return {};
    });
    ASSERT_TRUE(loop.start({}));
    running.wait();
    may_end.count_down();
}

TEST_F(Background, BlockingBodyDoesNotBlockStart) {
    std::latch started(1);
    loop("blocking", [&](std::stop_token) -> Result<void> {
        started.wait();  // Heeds no token.
        return {};
    });
    record("next");
    process_.lifetime.on(Phase::started, [&] {
        diary_.add("started");
        started.count_down();
    });
    EXPECT_EQ(run(), hosting::kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("start next", "started", "stop next"));
}

TEST_F(Background, StopInterruptsTheLoop) {
    loop("loop", [this](std::stop_token stop) -> Result<void> {
        EXPECT_FALSE(process_.clock.sleep_for(1h, stop));
        diary_.add("interrupted");
        return {};
    });
    stop_when_started();
    EXPECT_EQ(run(), hosting::kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("interrupted"));
}

TEST_F(Background, ImmediateThrowExits70) {
    loop("loop", [](std::stop_token) -> Result<void> { throw std::out_of_range("DOE^JANE"); });
    logging::Capture log;
    EXPECT_EQ(run(), hosting::kExitFault);
    EXPECT_THAT(log.text(),
                AllOf(HasSubstr("unexpected std::out_of_range"), Not(HasSubstr("DOE^JANE"))));
}

TEST_F(Background, DelayedThrowExits70) {
    record("other");
    loop("loop", [this](std::stop_token stop) -> Result<void> {
        EXPECT_TRUE(process_.clock.sleep_for(5s, stop));
        EXPECT_EQ(process_.lifetime.phase(), Phase::started);
        throw std::runtime_error("broken");
    });
    EXPECT_EQ(run_while_time_passes(), hosting::kExitFault);
    EXPECT_THAT(diary_.entries(), ElementsAre("start other", "stop other"));
}

TEST_F(Background, ThreeFaultsAggregate) {
    std::barrier all(3);
    for (const std::string name : {"x", "y", "z"}) {
        loop(name, [&all, name](std::stop_token) -> Result<void> {
            all.arrive_and_wait();
            return fail(Code::internal, name + " is broken");
        });
    }
    logging::Capture log;
    EXPECT_EQ(run(), hosting::kExitFault);
    EXPECT_THAT(log.text(), AllOf(HasSubstr("x is broken"), HasSubstr("y is broken"),
                                  HasSubstr("z is broken")));
}

TEST_F(Background, FaultDuringStopIsKept) {
    loop("loop", [](std::stop_token stop) -> Result<void> {
        wait_for(stop);
        return fail(Code::data_loss, "could not flush");
    });
    stop_when_started();
    logging::Capture log;
    EXPECT_EQ(run(), hosting::kExitFault);
    EXPECT_THAT(log.text(), HasSubstr("could not flush"));
}

TEST_F(Background, IgnoreModeKeepsTheHostRunning) {
    loop("loop", [](std::stop_token) -> Result<void> { return fail(Code::internal, "broken"); },
         {.on_fault = OnEnd::ignore});
    std::jthread host([this] { EXPECT_EQ(run(), hosting::kExitClean); });
    wait_for_health("loop", health::Status::unhealthy);
    EXPECT_FALSE(process_.lifetime.stopping().stop_requested());
    process_.lifetime.stop("test");
}

TEST_F(Background, NormalReturnStopsTheHostByDefault) {
    loop("loop", [](std::stop_token) -> Result<void> { return {}; });
    EXPECT_EQ(run(), hosting::kExitClean);
    EXPECT_THAT(process_.lifetime.cause(), HasSubstr("`loop` ended"));
}

TEST_F(Background, NormalReturnRestartsByPolicy) {
    int runs = 0;
    loop("loop",
         [&runs, this](std::stop_token) -> Result<void> {
             if (++runs == 3) {
                 process_.lifetime.stop("test");
             }
             return {};
         },
         {.on_return = OnEnd::restart});
    EXPECT_EQ(run_while_time_passes(), hosting::kExitClean);
    EXPECT_EQ(runs, 3);
}

TEST_F(Background, NormalReturnIsIgnoredByPolicy) {
    loop("loop", [](std::stop_token) -> Result<void> { return {}; }, {.on_return = OnEnd::ignore});
    std::jthread host([this] { EXPECT_EQ(run(), hosting::kExitClean); });
    wait_for_health("loop", health::Status::unhealthy);
    EXPECT_FALSE(process_.lifetime.stopping().stop_requested());
    process_.lifetime.stop("test");
}

TEST_F(Background, CancellationAtStopIsNoFault) {
    loop("early", [this](std::stop_token) -> Result<void> {
        wait_for(process_.lifetime.stopping());  // Before its own turn.
        return fail(Code::cancelled, "the process stops");
    });
    loop("in turn", [](std::stop_token stop) -> Result<void> {
        wait_for(stop);
        return fail(Code::cancelled, "stopped");
    });
    stop_when_started();
    logging::Capture log;
    EXPECT_EQ(run(), hosting::kExitClean);
    EXPECT_THAT(log.text(), AllOf(Not(HasSubstr("\"error\"")), Not(HasSubstr("\"warning\""))));
}

TEST_F(Background, DestructionJoins) {
    std::atomic<bool> ended = false;
    {
        Loop loop("loop", process_.context, [&](std::stop_token stop) -> Result<void> {
            wait_for(stop);
            // Gives the destructor the time to return too early.
            for (int i = 0; i < 1000; ++i) {
                std::this_thread::yield();
            }
            ended = true;
            return {};
        });
        ASSERT_TRUE(loop.start({}));
    }
    EXPECT_TRUE(ended);
}

TEST_F(Background, RestartBuildsAFreshInstance) {
    auto made = std::make_shared<int>(0);
    builder_.add("loop",
                 [this, made] {
                     const int number = ++*made;
                     diary_.add("made " + std::to_string(number));
                     return std::make_unique<Loop>(
                         "loop", process_.context, [this, number](std::stop_token) -> Result<void> {
                             if (number == 1) {
                                 return fail(Code::unavailable, "the first one breaks");
                             }
                             diary_.add("runs");
                             process_.lifetime.stop("test");
                             return {};
                         });
                 },
                 {.on_fault = OnEnd::restart});
    EXPECT_EQ(run_while_time_passes(), hosting::kExitClean);
    EXPECT_THAT(diary_.entries(), ElementsAre("made 1", "made 2", "runs"));
    EXPECT_EQ(process_.lifetime.services().at(0).restarts, 1);
}

// How long the host waits before each restart, as it says in its log.
class BackgroundRestarts : public Background {
protected:
    // The pauses in milliseconds by service, in order.
    static std::map<std::string, std::vector<int>> pauses(const logging::Capture& log) {
        std::map<std::string, std::vector<int>> all;
        std::istringstream lines(log.text());
        for (std::string text; std::getline(lines, text);) {
            const auto line = nlohmann::json::parse(text);
            if (line["msg"] == "service will be restarted") {
                all[line["name"].get<std::string>()].push_back(line["in_ms"].get<int>());
            }
        }
        return all;
    }
};

TEST_F(BackgroundRestarts, BackoffSequenceUnderAFakeClock) {
    constexpr std::array kBounds = {500, 1'000, 2'000, 4'000, 8'000, 16'000, 30'000};
    // So many loops that, of their random pauses, the longest is near the bound.
    constexpr int kLoops = 30;
    std::atomic<int> finished = 0;
    for (int i = 0; i < kLoops; ++i) {
        auto failures = std::make_shared<std::size_t>(0);
        loop("loop" + std::to_string(i),
             [this, failures, &finished, &kBounds](std::stop_token stop) -> Result<void> {
                 if (++*failures <= kBounds.size()) {
                     return fail(Code::unavailable, "broken");
                 }
                 if (++finished == kLoops) {
                     process_.lifetime.stop("test");
                 }
                 wait_for(stop);
                 return {};
             },
             {.on_fault = OnEnd::restart, .max_restarts = 100, .window = 1h});
    }
    logging::Capture log;
    EXPECT_EQ(run_while_time_passes(), hosting::kExitClean);
    const auto pauses_by_name = pauses(log);
    EXPECT_THAT(pauses_by_name, SizeIs(kLoops));
    for (std::size_t n = 0; n < kBounds.size(); ++n) {
        int shortest = kBounds.back();
        int longest = 0;
        for (const auto& [name, sequence] : pauses_by_name) {
            ASSERT_THAT(sequence, SizeIs(kBounds.size())) << name;
            shortest = std::min(shortest, sequence[n]);
            longest = std::max(longest, sequence[n]);
        }
        EXPECT_LE(longest, kBounds[n]);
        EXPECT_GT(longest, kBounds[n] / 2);
        EXPECT_LT(shortest, kBounds[n] / 2);
    }
}

TEST_F(BackgroundRestarts, IntensityExceededStopsTheHost) {
    loop("loop", [](std::stop_token) -> Result<void> { return fail(Code::internal, "broken"); },
         {.on_fault = OnEnd::restart, .backoff = {1ms, 1ms, 1ms}});
    logging::Capture log;
    EXPECT_EQ(run_while_time_passes(), hosting::kExitFault);
    EXPECT_THAT(pauses(log)["loop"], SizeIs(5));
    EXPECT_THAT(process_.lifetime.faults().at(0).second.message,
                HasSubstr("restarted 5 times in 1m"));
}

TEST_F(BackgroundRestarts, HealthyPeriodResets) {
    constexpr std::size_t kRounds = 8;
    constexpr std::size_t kRestartsInARound = 5;  // As many as a window allows.
    std::size_t ends = 0;
    loop("loop",
         [&](std::stop_token stop) -> Result<void> {
             if (ends % kRestartsInARound == 0) {
                 process_.clock.sleep_for(3min, stop);  // Far longer than it has to be healthy.
             }
             if (++ends == kRounds * kRestartsInARound) {
                 process_.lifetime.stop("test");
             }
             return fail(Code::unavailable, "broken");
         },
         {.on_fault = OnEnd::restart});
    logging::Capture log;
    run_while_time_passes();
    const auto sequence = pauses(log)["loop"];
    ASSERT_THAT(sequence, SizeIs(Ge(kRounds * kRestartsInARound - 1)));
    for (std::size_t i = 0; i < sequence.size(); i += kRestartsInARound) {
        EXPECT_LE(sequence[i], 500);
    }
    EXPECT_GT(*std::ranges::max_element(sequence), 500);
}

}  // namespace
}  // namespace gantry::conformance
