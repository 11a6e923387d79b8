#include "gantry/hosting/queue_worker.hpp"

#include "gantry/hosting/channel_meter.hpp"
#include "gantry/logging/log.hpp"
#include "rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <atomic>
#include <latch>
#include <stdexcept>
#include <thread>

namespace gantry::hosting {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

class QueueWorkerTest : public testing::Test {
protected:
    using Worker = QueueWorker<std::string>;

    ~QueueWorkerTest() override { worker_.reset(); }

    void start(Worker::Handler handler, QueueThreads::Options options = {}) {
        worker_ =
            std::make_unique<Worker>("work", rig_.context, channel_, options, std::move(handler),
                                     [this](std::string&& item) { undone_.add(item); });
        ASSERT_TRUE(worker_->start({}));
    }
    void write(const std::string& item) {
        EXPECT_EQ(channel_.try_write(item), channel::WriteOutcome::written);
    }
    Result<void> stop() { return worker_->stop(Deadline::never()); }

    Rig rig_;
    Diary done_;
    Diary undone_;
    channel::Channel<std::string> channel_{{.capacity = 100}};
    std::unique_ptr<Worker> worker_;
};

TEST_F(QueueWorkerTest, HandlesEveryItemAndDrainsAtTheStop) {
    start([this](std::string& item, Scope&) -> Result<void> {
        done_.add(item);
        return {};
    });
    for (int i = 0; i < 100; ++i) {
        write(std::to_string(i));
    }
    EXPECT_TRUE(stop());
    EXPECT_EQ(done_.entries().size(), 100U);
    EXPECT_EQ(worker_->counts().succeeded, 100U);
    EXPECT_THAT(undone_.entries(), IsEmpty());
    EXPECT_EQ(channel_.try_write("late"), channel::WriteOutcome::closed);
}

TEST_F(QueueWorkerTest, ItsThreadsWorkAtTheSameTime) {
    std::latch all(3);
    start(
        [&](std::string&, Scope&) -> Result<void> {
            all.arrive_and_wait();
            return {};
        },
        {.threads = 3});
    for (const auto* item : {"a", "b", "c"}) {
        write(item);
    }
    EXPECT_TRUE(stop());
    EXPECT_EQ(worker_->counts().succeeded, 3U);
}

TEST_F(QueueWorkerTest, AFaultCostsItsItemOnlyAndIsLoggedWithoutIt) {
    logging::Capture log;
    rig_.lifetime.set_service({"work"});
    start(
        [](std::string& item, Scope&) -> Result<void> {
            if (item == "throw") {
                throw std::runtime_error("DOE^JANE");
            }
            if (item == "fail") {
                return fail(Code::unavailable, "store away", "STORE_AWAY");
            }
            return {};
        },
        {.threads = 1});
    for (const auto* item : {"throw", "good", "fail", "good"}) {
        write(item);
    }
    EXPECT_TRUE(stop());
    EXPECT_EQ(worker_->counts().succeeded, 2U);
    EXPECT_EQ(worker_->counts().failed, 2U);
    EXPECT_EQ(rig_.lifetime.services().at(0).last_error, "STORE_AWAY");
    EXPECT_THAT(log.text(), AllOf(HasSubstr("item failed"), HasSubstr("std::runtime_error"),
                                  Not(HasSubstr("DOE"))));
    EXPECT_THAT(rig_.metrics.text(),
                HasSubstr(R"(gantry_queue_items_total{outcome="failure",worker="work"} 2)"));
}

TEST_F(QueueWorkerTest, WhatIsNotHandledInTimeIsHandedBack) {
    start(
        [this](std::string& item, Scope& scope) -> Result<void> {
            done_.add("began " + item);
            rig_.clock.sleep_for(1h, scope.stop());
            return scope.check();
        },
        {.threads = 1, .give_up_before = 1s});
    for (const auto* item : {"a", "b", "c"}) {
        write(item);
    }
    done_.wait_for_count(1);
    rig_.clock.wait_for_sleepers(1);
    std::jthread stopper([&] { EXPECT_TRUE(worker_->stop(Deadline::after(10s, rig_.clock))); });
    rig_.clock.wait_for_sleepers(2);
    rig_.clock.advance(8s);
    EXPECT_THAT(undone_.entries(), IsEmpty());
    rig_.clock.wait_for_sleepers(2);
    rig_.clock.advance(1s);
    stopper.join();
    EXPECT_THAT(done_.entries(), ElementsAre("began a"));
    EXPECT_THAT(undone_.entries(), UnorderedElementsAre("a", "b", "c"));
    EXPECT_EQ(worker_->counts().undone, 3U);
    EXPECT_EQ(worker_->counts().failed, 0U);
}

TEST_F(QueueWorkerTest, AHandlerThatDoesNotGiveUpFailsTheStop) {
    std::stop_source release;
    start(
        [&](std::string& item, Scope&) -> Result<void> {
            done_.add(item);
            rig_.clock.sleep_for(10h, release.get_token());
            return {};
        },
        {.threads = 2});
    write("a");
    write("b");
    done_.wait_for_count(2);
    Result<void> stopped;
    std::jthread stopper([&] { stopped = worker_->stop(Deadline::after(10s, rig_.clock)); });
    for (int i = 0; i < 2; ++i) {
        rig_.clock.wait_for_sleepers(3);
        rig_.clock.advance(i == 0 ? 9s : 1s);
    }
    stopper.join();
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, Code::deadline_exceeded);
    EXPECT_THAT(stopped.error().message, HasSubstr("2 threads of `work`"));
    release.request_stop();
}

TEST_F(QueueWorkerTest, ASuccessCommitsAndAFailureRollsBack) {
    class Noted final : public Unit {
    public:
        Noted(Diary& diary, std::string name) : diary_(diary), name_(std::move(name)) {}
        Result<void> commit() override {
            diary_.add("commit " + name_);
            return {};
        }
        void rollback() noexcept override { diary_.add("rollback " + name_); }

    private:
        Diary& diary_;
        std::string name_;
    };
    start(
        [this](std::string& item, Scope& scope) -> Result<void> {
            TRY(scope.unit<Noted>([&]() -> Result<std::unique_ptr<Noted>> {
                return std::make_unique<Noted>(done_, item);
            }));
            if (item == "bad") {
                return fail(Code::internal, "no");
            }
            return {};
        },
        {.threads = 1});
    write("good");
    write("bad");
    EXPECT_TRUE(stop());
    EXPECT_THAT(done_.entries(), ElementsAre("commit good", "rollback bad"));
}

TEST_F(QueueWorkerTest, AnItemHasALimitAndATraceOfItsOwn) {
    std::vector<std::string> traces;
    start(
        [&](std::string&, Scope& scope) -> Result<void> {
            EXPECT_EQ(scope.deadline(), Deadline::after(5s, rig_.clock));
            traces.push_back(scope.trace().trace_id_hex());
            return {};
        },
        {.threads = 1, .item_limit = 5s});
    write("a");
    write("b");
    EXPECT_TRUE(stop());
    EXPECT_EQ(traces.size(), 2U);
    EXPECT_NE(traces.at(0), traces.at(1));
}

TEST_F(QueueWorkerTest, IsDestroyedWithoutAStopOrAStart) {
    start([](std::string&, Scope&) -> Result<void> { return {}; });
    worker_.reset();
    const Worker never("never", rig_.context, channel_, {},
                       [](std::string&, Scope&) -> Result<void> { return {}; });
}

TEST(ChannelMeter, ShowsItsChannelWhileItLives) {
    metrics::Registry metrics;
    {
        channel::Channel<int> channel({.capacity = 2,
                                       .full_mode = channel::FullMode::drop_oldest,
                                       .meter = channel_meter(metrics, "jobs")});
        for (const int i : {1, 2, 3}) {
            channel.try_write(i);
        }
        EXPECT_THAT(metrics.text(),
                    AllOf(HasSubstr("gantry_channel_depth{channel=\"jobs\"} 2\n"),
                          HasSubstr("gantry_channel_capacity{channel=\"jobs\"} 2\n"),
                          HasSubstr("gantry_channel_dropped_total{channel=\"jobs\"} 1\n")));
        (void)channel.try_read();
        EXPECT_THAT(metrics.text(),
                    AllOf(HasSubstr("gantry_channel_depth{channel=\"jobs\"} 1\n"),
                          HasSubstr("gantry_channel_wait_seconds_count{channel=\"jobs\"} 1\n")));
        (void)channel.try_write(4);
    }
    EXPECT_THAT(metrics.text(), HasSubstr("gantry_channel_depth{channel=\"jobs\"} 0\n"));
}

}  // namespace
}  // namespace gantry::hosting
