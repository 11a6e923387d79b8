#include "gantry/base/encoding.hpp"
#include "worker_bench.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace gantry::worker::testing {
namespace {

using jobs::JobContext;
using jobs::Outcome;
using jobs::State;

jobs::NewJob job_of(const std::string& type, const std::string& key = {}) {
    jobs::NewJob job;
    job.type = type;
    job.key = key;
    return job;
}

/// A worker whose `test.run` counts and whose `test.slow` takes what its payload says.
Worker::Handlers counting(Ledger& ledger) {
    return [&ledger](jobs::Registry& registry) {
        registry.add("test.run", [&ledger](JobContext& context) {
            ledger.ran(context.id());
            context.result(std::string(context.payload()), context.content_type());
            return Outcome::success();
        });
        registry.add("test.slow", [&ledger](JobContext& context) {
            ledger.ran(context.id());
            const milliseconds time{std::stoi(std::string(context.payload()))};
            return system_clock().sleep_for(time, context.stop()) ? Outcome::success()
                                                                  : Outcome::hand_back();
        });
        registry.add("test.fail", [&ledger](JobContext& context) {
            ledger.ran(context.id());
            return Outcome::retry(Error{Code::internal, "no luck", "NO_LUCK", {}});
        });
    };
}

TEST(Dispatch, AJobRunsOnce) {
    Bench bench;
    Ledger ledger;
    Worker worker(bench, "a", counting(ledger));
    worker.start();
    auto wanted = job_of("test.run");
    wanted.payload = "hello";
    const auto job = bench.enqueue(wanted);
    ASSERT_TRUE(bench.ends(job.id, State::succeeded));
    EXPECT_EQ(ledger.runs(job.id), 1);
    const auto done = bench.read(job.id);
    EXPECT_EQ(done.result, "hello");
    EXPECT_EQ(done.attempt, 1);
    EXPECT_EQ(done.dispatch, 2);
    EXPECT_TRUE(eventually([&] { return bench.committed() == 1; }));
    EXPECT_EQ(worker.work.in_flight.size(), 0U);
    EXPECT_EQ(worker.work.bytes(), 0U);
}

TEST(Dispatch, CopiesOfAWakeUpRunOnce) {
    Bench bench;
    Ledger ledger;
    Worker worker(bench, "a", counting(ledger));
    worker.start();
    bench.pump(false);
    auto slow = job_of("test.slow");
    slow.payload = "300";
    const auto job = bench.enqueue(slow);
    for (int i = 0; i < 3; ++i) {
        bench.send(bench.wakeup(job.id, 1, "", ""));
    }
    ASSERT_TRUE(bench.ends(job.id, State::succeeded));
    bench.send(bench.wakeup(job.id, 1, "", ""));
    EXPECT_TRUE(eventually([&] { return bench.committed() == 4; }));
    EXPECT_EQ(ledger.runs(job.id), 1);
}

TEST(Dispatch, ARawEventSentTwiceRunsOnce) {
    Bench bench;
    Ledger ledger;
    Worker worker(bench, "a", counting(ledger));
    worker.start();
    bench.send(bench.event("e1", "test.run", "x"));
    bench.send(bench.event("e1", "test.run", "x"));
    EXPECT_TRUE(eventually([&] { return bench.committed() == 2; }));
    EXPECT_EQ(bench.count("gantry.job"), 1);
    EXPECT_TRUE(
        eventually([&] { return bench.count("gantry.job WHERE state = 'succeeded'") == 1; }));
    EXPECT_EQ(ledger.order().size(), 1U);
}

TEST(Dispatch, ABrokenRecordIsBuriedAndTheOffsetMovesOn) {
    Bench bench;
    Ledger ledger;
    Worker worker(bench, "a", counting(ledger));
    worker.start();
    auto broken = bench.event("e1", "not a type", "secret");
    bench.send(broken);
    kafka::Record naked;
    naked.topic = bench.jobs_topic();
    naked.value = std::string("\0\xff", 2);
    naked.key = std::string("\xff");
    bench.send(naked);
    bench.send(bench.event("e2", "test.run", "x"));
    EXPECT_TRUE(eventually([&] { return bench.committed() == 3; }));
    EXPECT_EQ(bench.count("gantry.outbox_message WHERE topic = '" + bench.dead_topic() + "'"), 2);
    EXPECT_EQ(ledger.order().size(), 1U);
}

TEST(Dispatch, AFailingJobIsTriedAgainAndThenDeadWithARecord) {
    Bench bench;
    bench.database.exec("UPDATE gantry.queue SET backoff_base = '20 ms', backoff_cap = '50 ms'");
    Ledger ledger;
    WorkerOptions options;
    options.promote_every = milliseconds{20};
    Worker worker(bench, "a", counting(ledger), options);
    worker.start();
    auto failing = job_of("test.fail");
    failing.max_attempts = 3;
    const auto job = bench.enqueue(failing);
    ASSERT_TRUE(bench.ends(job.id, State::dead));
    EXPECT_EQ(ledger.runs(job.id), 3);
    const auto dead = bench.read(job.id);
    EXPECT_EQ(dead.attempt, 3);
    EXPECT_EQ(dead.error, "no luck");
    EXPECT_EQ(bench.count("gantry.job_dead WHERE reason = 'attempts_exhausted'"), 1);
    EXPECT_EQ(bench.count("gantry.outbox_message WHERE topic = '" + bench.dead_topic() + "'"), 1);
    EXPECT_EQ(bench.count("gantry.job_timer"), 0);
}

TEST(Dispatch, AnUnknownTypeBacksOff) {
    Bench bench;
    Ledger ledger;
    Worker worker(bench, "a", counting(ledger));
    worker.start();
    const auto job = bench.enqueue(job_of("test.unheard_of"));
    ASSERT_TRUE(bench.ends(job.id, State::retrying));
    EXPECT_EQ(bench.read(job.id).attempt, 1);
}

TEST(Dispatch, AWakeUpReadBeforeItsCommitIsVisibleRuns) {
    Bench bench;
    bench.pump(false);
    Ledger ledger;
    Worker worker(bench, "a", counting(ledger));
    worker.start();
    ASSERT_TRUE(worker.has_partitions());
    const auto session = bench.database.connect();
    auto transaction = postgres::Transaction::begin(*session);
    ASSERT_TRUE(transaction);
    const auto made = transaction->exec(
        "SELECT gantry.enqueue('default', 'test.run'), "
        "pg_current_xact_id()::text");
    ASSERT_TRUE(made);
    const auto id = made->front().get<Uuid>(0);
    bench.send(bench.wakeup(id, 1, "", made->front().get<std::string>(1)));
    ASSERT_TRUE(eventually([&] { return worker.work.in_flight.size() == 1; }));
    system_clock().sleep_for(milliseconds{200}, {});
    EXPECT_EQ(worker.work.in_flight.size(), 1U) << "it waits for the transaction";
    EXPECT_EQ(bench.committed(), 0);
    ASSERT_TRUE(transaction->commit());
    ASSERT_TRUE(bench.ends(id, State::succeeded));
    EXPECT_EQ(ledger.runs(id), 1);
}

TEST(Dispatch, AWakeUpOfARolledBackTransactionIsDropped) {
    Bench bench;
    bench.pump(false);
    Ledger ledger;
    Worker worker(bench, "a", counting(ledger));
    worker.start();
    const auto session = bench.database.connect();
    auto transaction = postgres::Transaction::begin(*session);
    const auto made = transaction->exec(
        "SELECT gantry.enqueue('default', 'test.run'), pg_current_xact_id()::text");
    transaction->rollback();
    bench.send(bench.wakeup(made->front().get<Uuid>(0), 1, "", made->front().get<std::string>(1)));
    bench.send(bench.wakeup(Uuid::v7(), 1, "", "999999999999"));
    bench.send(bench.wakeup(Uuid::v7(), 1, "", ""));
    EXPECT_TRUE(eventually([&] { return bench.committed() == 3; }));
    EXPECT_TRUE(ledger.order().empty());
}

TEST(Dispatch, ALongJobReleasesItsOffsetUnderALease) {
    Bench bench(1);
    Ledger ledger;
    WorkerOptions options;
    options.lease_after = milliseconds{200};
    Worker worker(bench, "a", counting(ledger), options);
    worker.start();
    auto slow = job_of("test.slow");
    slow.payload = "3000";
    const auto job = bench.enqueue(slow);
    ASSERT_TRUE(bench.ends(job.id, State::running));
    EXPECT_TRUE(eventually([&] { return bench.committed() == 1; }, milliseconds{2'500}));
    EXPECT_EQ(bench.read(job.id).state, State::running);
    const auto quick = bench.enqueue(job_of("test.run"));
    ASSERT_TRUE(bench.ends(quick.id, State::succeeded));
    ASSERT_TRUE(bench.ends(job.id, State::succeeded));
    EXPECT_EQ(bench.count("gantry.job_lease"), 0);
    EXPECT_EQ(ledger.runs(job.id), 1);
}

TEST(Dispatch, AJobPastItsDeadlineIsToldToStopAndRetried) {
    Bench bench;
    Ledger ledger;
    Worker worker(bench, "a", counting(ledger));
    worker.start();
    auto slow = job_of("test.slow");
    slow.payload = "20000";
    slow.timeout = milliseconds{300};
    const auto job = bench.enqueue(slow);
    ASSERT_TRUE(bench.ends(job.id, State::retrying, milliseconds{10'000}));
    const auto retried = bench.read(job.id);
    EXPECT_EQ(retried.attempt, 1);
    EXPECT_NE(retried.error.find("timed out"), std::string::npos) << retried.error;
}

TEST(Dispatch, JobsOfAKeyRunOneAtATimeInOrder) {
    Bench bench;
    Ledger ledger;
    std::atomic<int> inside{0};
    std::atomic<bool> overlapped{false};
    Worker worker(bench, "a", [&](jobs::Registry& registry) {
        registry.add("test.keyed", [&](JobContext& context) {
            overlapped = overlapped || ++inside > 1;
            system_clock().sleep_for(milliseconds{2}, {});
            ledger.ran(context.id());
            --inside;
            return Outcome::success();
        });
    });
    std::vector<Uuid> expected;
    for (int i = 0; i < 50; ++i) {
        expected.push_back(bench.enqueue(job_of("test.keyed", "ward-3")).id);
    }
    worker.start();
    for (const auto& id : expected) {
        ASSERT_TRUE(bench.ends(id, State::succeeded));
    }
    EXPECT_FALSE(overlapped);
    EXPECT_EQ(ledger.order(), expected);
}

TEST(Dispatch, AFullChannelHoldsPollingAndLosesNothing) {
    Bench bench;
    Ledger ledger;
    WorkerOptions options;
    options.concurrency = 4;
    options.channel_capacity = 10;
    Worker worker(bench, "a", counting(ledger), options);
    worker.start();
    std::vector<Uuid> ids;
    for (int i = 0; i < 400; ++i) {
        auto slow = job_of("test.slow");
        slow.payload = "10";
        ids.push_back(bench.enqueue(slow).id);
    }
    EXPECT_TRUE(
        eventually([&] { return bench.count("gantry.job WHERE state = 'succeeded'") == 400; }));
    EXPECT_TRUE(std::ranges::all_of(ids, [&](const Uuid& id) { return ledger.runs(id) == 1; }));
    EXPECT_TRUE(eventually([&] { return bench.committed() == 400; }));
    EXPECT_GE(worker.work.metrics.pauses.value(), 1.0);
}

}  // namespace
}  // namespace gantry::worker::testing
