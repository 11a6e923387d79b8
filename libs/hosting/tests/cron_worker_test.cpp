#include "gantry/hosting/cron_worker.hpp"

#include "gantry/logging/log.hpp"
#include "rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <atomic>
#include <stdexcept>

namespace gantry::hosting {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class CronWorkerTest : public testing::Test {
protected:
    ~CronWorkerTest() override {
        if (worker_) {
            EXPECT_TRUE(worker_->stop(Deadline::never()));
        }
    }
    // Every whole minute, up to the last one if there is one.
    CronWorker::Schedule every_minute(Instant last = Instant::max()) {
        return [last](Instant after) -> std::optional<Instant> {
            const auto next = std::chrono::floor<std::chrono::minutes>(after) + 1min;
            return next <= last ? std::optional<Instant>(next) : std::nullopt;
        };
    }
    void start(CronWorker::Work work, CronWorker::Schedule schedule = {}) {
        rig_.lifetime.set_service({"cron"});
        worker_.emplace("cron", rig_.context, schedule ? schedule : every_minute(),
                        std::move(work));
        ASSERT_TRUE(worker_->start({}));
        rig_.clock.wait_for_sleepers(1);
    }
    // Notes the minute of each run.
    CronWorker::Work note() {
        return [this](Scope&) -> Result<void> {
            const auto minute = std::chrono::floor<std::chrono::minutes>(rig_.clock.now() - begin_);
            diary_.add(std::to_string(minute.count()));
            return {};
        };
    }
    // Lets time pass second by second, as the worker sees it.
    void pass(std::chrono::seconds duration) {
        for (auto left = duration; left > 0s; left -= 1s) {
            rig_.clock.wait_for_sleepers(1);
            rig_.clock.advance(1s);
        }
        rig_.clock.wait_for_sleepers(1);
    }
    double runs(const std::string& outcome) {
        return rig_.metrics
            .counter("gantry_cron_runs_total", "", {{"worker", "cron"}, {"outcome", outcome}})
            .value();
    }

    Rig rig_;
    Diary diary_;
    const Instant begin_ = rig_.clock.now();
    std::optional<CronWorker> worker_;
};

TEST_F(CronWorkerTest, RunsAtEachFireAndNotBefore) {
    start(note());
    pass(59s);
    EXPECT_THAT(diary_.entries(), ElementsAre());
    pass(1s);
    EXPECT_THAT(diary_.entries(), ElementsAre("1"));
    pass(120s);
    EXPECT_THAT(diary_.entries(), ElementsAre("1", "2", "3"));
}

TEST_F(CronWorkerTest, CountsTheFiresThatALongRunMissed) {
    start([this](Scope&) -> Result<void> {
        diary_.add("run");
        if (diary_.entries().size() == 1) {
            rig_.clock.advance(150s);
        }
        return {};
    });
    pass(60s);
    EXPECT_THAT(diary_.entries(), ElementsAre("run"));
    EXPECT_EQ(runs("missed"), 2);
    pass(30s);
    EXPECT_THAT(diary_.entries(), ElementsAre("run", "run"));
}

TEST_F(CronWorkerTest, AClockSetBackRepeatsNoFire) {
    start(note());
    pass(120s);
    rig_.clock.step_wall(-90s);
    pass(89s);
    EXPECT_THAT(diary_.entries(), ElementsAre("1", "2"));
    pass(61s);
    EXPECT_THAT(diary_.entries(), ElementsAre("1", "2", "3"));
}

TEST_F(CronWorkerTest, AClockSetForwardRunsWhatItJumpedOverOnce) {
    start(note());
    rig_.clock.step_wall(10min);
    pass(1s);
    EXPECT_THAT(diary_.entries(), ElementsAre("10"));
    pass(59s);
    EXPECT_THAT(diary_.entries(), ElementsAre("10", "11"));
}

TEST_F(CronWorkerTest, AnErrorCostsItsRunAndShowsUntilTheNextSuccess) {
    logging::Capture log;
    int run = 0;
    start([&](Scope&) -> Result<void> {
        switch (++run) {
            case 1:
                throw std::out_of_range("DOE^JANE");
            case 2:
                return fail(Code::unavailable, "store away", "STORE_AWAY");
            default:
                return {};
        }
    });
    const auto state = [this] {
        const auto all = rig_.health.snapshot();
        return std::ranges::find(all, "service:cron", &health::Snapshot::name)->detail;
    };
    pass(60s);
    EXPECT_EQ(state(), "last run failed: EXCEPTION");
    pass(60s);
    EXPECT_EQ(state(), "last run failed: STORE_AWAY");
    EXPECT_EQ(rig_.lifetime.services().at(0).last_error, "STORE_AWAY");
    pass(60s);
    EXPECT_EQ(state(), "running");
    EXPECT_EQ(runs("failure"), 2);
    EXPECT_EQ(runs("success"), 1);
    EXPECT_THAT(log.text(), Not(HasSubstr("DOE")));
}

TEST_F(CronWorkerTest, WithoutAFurtherFireItIdlesUntilTheStop) {
    start(note(), every_minute(begin_ + 1min));
    pass(300s);
    EXPECT_THAT(diary_.entries(), ElementsAre("1"));
    EXPECT_FALSE(rig_.lifetime.stopping().stop_requested());
}

TEST_F(CronWorkerTest, BeatsWhileItWaits) {
    start(note(), every_minute(begin_));
    pass(60s);
    rig_.watchdog.step();
    EXPECT_EQ(rig_.watchdog.misses(), 0);
}

TEST_F(CronWorkerTest, AStopReachesTheRun) {
    start([this](Scope& scope) -> Result<void> {
        diary_.add("runs");
        EXPECT_FALSE(rig_.clock.sleep_for(1h, scope.stop()));
        return scope.check();
    });
    for (int i = 0; i < 60; ++i) {
        rig_.clock.wait_for_sleepers(1);
        rig_.clock.advance(1s);
    }
    diary_.wait_for_count(1);
    EXPECT_TRUE(worker_->stop(Deadline::never()));
    EXPECT_EQ(runs("failure"), 0);
}

}  // namespace
}  // namespace gantry::hosting
