#include "worker_bench.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <semaphore>

namespace gantry::worker::testing {
namespace {

using jobs::JobContext;
using jobs::Outcome;
using jobs::State;

Worker::Handlers slow(Ledger& ledger) {
    return [&ledger](jobs::Registry& registry) {
        registry.add("test.slow", [&ledger](JobContext& context) {
            ledger.ran(context.id());
            const milliseconds time{std::stoi(std::string(context.payload()))};
            return system_clock().sleep_for(time, context.stop()) ? Outcome::success()
                                                                  : Outcome::hand_back();
        });
    };
}

std::vector<Uuid> enqueue(Bench& bench, int count, const std::string& time) {
    std::vector<Uuid> ids;
    for (int i = 0; i < count; ++i) {
        jobs::NewJob job;
        job.type = "test.slow";
        job.payload = time;
        ids.push_back(bench.enqueue(job).id);
    }
    return ids;
}

std::int64_t succeeded(const Bench& bench) {
    return bench.count("gantry.job WHERE state = 'succeeded'");
}

TEST(Rebalance, WorkersThatComeAndGoRunEveryJobOnce) {
    Bench bench(8);
    Ledger ledger;
    WorkerOptions options;
    options.concurrency = 8;
    Worker first(bench, "a", slow(ledger), options);
    first.start();
    ASSERT_TRUE(first.has_partitions());
    auto ids = enqueue(bench, 200, "20");
    auto second = std::make_unique<Worker>(bench, "b", slow(ledger), options);
    second->start();
    ASSERT_TRUE(second->has_partitions());
    std::ranges::copy(enqueue(bench, 200, "20"), std::back_inserter(ids));
    EXPECT_TRUE(eventually([&] { return first.partitions() == 4 && second->partitions() == 4; }));
    EXPECT_LT(second->stop(), milliseconds{9'000});
    std::ranges::copy(enqueue(bench, 50, "20"), std::back_inserter(ids));
    ASSERT_TRUE(eventually([&] { return succeeded(bench) == 450; }, milliseconds{60'000}));
    // A clean hand-over repeats nothing, and a job that is handed back has not counted.
    for (const auto& id : ids) {
        EXPECT_EQ(bench.read(id).attempt, 1);
    }
    EXPECT_EQ(first.partitions(), 8U);
    EXPECT_EQ(bench.count("gantry.job_lease"), 0);
}

TEST(Rebalance, AJobInTheMiddleSurvivesARebalanceWithoutASecondRun) {
    Bench bench(4);
    Ledger ledger;
    Worker first(bench, "a", slow(ledger));
    first.start();
    ASSERT_TRUE(first.has_partitions());
    const auto ids = enqueue(bench, 8, "4000");
    ASSERT_TRUE(eventually([&] { return ledger.different() == 8; }));
    Worker second(bench, "b", slow(ledger));
    second.start();
    ASSERT_TRUE(second.has_partitions());
    ASSERT_TRUE(eventually([&] { return succeeded(bench) == 8; }));
    for (const auto& id : ids) {
        EXPECT_EQ(ledger.runs(id), 1);
    }
    EXPECT_EQ(bench.count("gantry.job_partition WHERE NOT clean AND epoch > 1"), 4)
        << "taken over once";
}

TEST(Rebalance, PartitionsThatWerePausedAreReadAfterTheyComeBack) {
    Bench bench(2);
    Ledger ledger;
    WorkerOptions narrow;
    narrow.concurrency = 1;
    narrow.channel_capacity = 1;
    Worker first(bench, "a", slow(ledger), narrow);
    first.start();
    ASSERT_TRUE(first.has_partitions());
    enqueue(bench, 60, "50");
    ASSERT_TRUE(eventually([&] { return first.work.metrics.pauses.value() >= 1; }));
    {
        Worker second(bench, "b", slow(ledger), narrow);
        second.start();
        ASSERT_TRUE(second.has_partitions());
    }
    EXPECT_TRUE(eventually([&] { return succeeded(bench) == 60; }, milliseconds{60'000}));
}

TEST(Rebalance, AnUnfinishedJobIsHandedBackAtTheStop) {
    Bench bench(1);
    Ledger ledger;
    auto first = std::make_unique<Worker>(bench, "a", slow(ledger));
    first->start();
    const auto id = enqueue(bench, 1, "30000").front();
    ASSERT_TRUE(eventually([&] { return ledger.runs(id) == 1; }));
    EXPECT_LT(first->stop(), milliseconds{9'000});
    const auto back = bench.read(id);
    EXPECT_EQ(back.state, State::queued);
    EXPECT_EQ(back.attempt, 0) << "a hand-back uses no attempt";
    EXPECT_EQ(bench.count("gantry.job_lease"), 0);
    Worker second(bench, "b", slow(ledger));
    second.start();
    EXPECT_TRUE(eventually([&] { return ledger.runs(id) == 2; }));
}

TEST(Rebalance, LostSessionsOfTheDatabaseLoseNoJobAndHoldNone) {
    Bench bench(4);
    Ledger ledger;
    Worker worker(bench, "a", slow(ledger));
    worker.start();
    ASSERT_TRUE(worker.has_partitions());
    const auto ids = enqueue(bench, 300, "10");
    for (int i = 0; i < 6; ++i) {
        system_clock().sleep_for(milliseconds{100}, {});
        bench.database.kill_sessions();
    }
    // The test's own pump may lose what it had taken in such a moment, as no relay does.
    ASSERT_TRUE(eventually([&] { return bench.count("gantry.outbox_wakeup") == 0; }));
    EXPECT_TRUE(eventually([&] { return succeeded(bench) == 300; })) << succeeded(bench);
    for (const auto& id : ids) {
        EXPECT_EQ(ledger.runs(id), 1);
    }
    EXPECT_TRUE(eventually([&] { return worker.work.in_flight.size() == 0; }));
}

TEST(Rebalance, ADeadWorkersLongJobIsRescued) {
    Bench bench(1);
    Ledger ledger;
    // A worker that died: it holds a lease and the partition, and beats no more.
    const auto id = enqueue(bench, 1, "10").front();
    bench.pump(false);
    bench.database.exec("UPDATE gantry.job SET state = 'running' WHERE id = $1", {id});
    bench.database.exec(
        "INSERT INTO gantry.job_lease (job, dispatch, epoch, partition, owner, queue, topic) "
        "VALUES ($1, 1, 1, 0, 'dead', 'default', $2)",
        {id, bench.jobs_topic()});
    WorkerOptions options;
    options.lease_time = milliseconds{4'000};
    Worker worker(bench, "a", slow(ledger), options);
    worker.start();
    bench.pump(true);
    EXPECT_TRUE(bench.ends(id, State::succeeded));
    EXPECT_EQ(ledger.runs(id), 1);
    EXPECT_EQ(bench.read(id).dispatch, 3) << "woken, rescued, ended";
}

TEST(Rebalance, AHandlerThatIgnoresItsStopDelaysTheStopAndNothingElse) {
    Bench bench(1);
    std::binary_semaphore release{0};
    std::atomic<bool> inside{false};
    auto worker = std::make_unique<Worker>(bench, "a", [&](jobs::Registry& registry) {
        registry.add("test.stubborn", [&](JobContext&) {
            inside = true;
            release.acquire();
            return Outcome::success();
        });
    });
    worker->start();
    jobs::NewJob job;
    job.type = "test.stubborn";
    const auto id = bench.enqueue(job).id;
    ASSERT_TRUE(eventually([&] { return inside.load(); }));
    std::jthread late([&] {
        // Longer than the worker asks, shorter than the host waits.
        system_clock().sleep_for(milliseconds{6'500}, {});
        release.release();
    });
    EXPECT_LT(worker->stop(), milliseconds{10'000});
    worker.reset();
    const auto after = bench.read(id);
    EXPECT_TRUE(after.state == State::succeeded || after.state == State::running ||
                after.state == State::queued)
        << jobs::to_string(after.state);
}

}  // namespace
}  // namespace gantry::worker::testing
