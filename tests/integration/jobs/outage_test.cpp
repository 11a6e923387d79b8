#include "worker_bench.hpp"

#include <gtest/gtest.h>

#include <semaphore>

namespace gantry::worker::testing {
namespace {

using jobs::JobContext;
using jobs::Outcome;
using jobs::State;

/// Handlers that wait for the test, once inside.
struct Held {
    Ledger ledger;
    std::counting_semaphore<1'000> release{0};

    Worker::Handlers handlers() {
        return [this](jobs::Registry& registry) {
            registry.add("test.held", [this](JobContext& context) {
                ledger.ran(context.id());
                release.acquire();
                return Outcome::success();
            });
            registry.add("test.effect", [this](JobContext& context) {
                ledger.ran(context.id());
                release.acquire();
                context.transaction([](postgres::Transaction& transaction) -> Result<void> {
                    TRY(
                        transaction.exec("INSERT INTO gantry.audit (principal, action, object) "
                                         "VALUES ('test', 'effect', 'x')"));
                    return {};
                });
                return Outcome::success();
            });
        };
    }
};

class OutageTest : public ::testing::TestWithParam<const char*> {
protected:
    Uuid enqueue() {
        jobs::NewJob job;
        job.type = GetParam();
        return bench.enqueue(job).id;
    }
    Bench bench{2};
    Held held;
};

// With effects an executor writes the end itself, without them the completer does.
INSTANTIATE_TEST_SUITE_P(EachWayToEnd, OutageTest, ::testing::Values("test.held", "test.effect"),
                         [](const auto& way) {
                             const bool alone = way.param == std::string("test.held");
                             return std::string(alone ? "Alone" : "Effects");
                         });

TEST_P(OutageTest, EndsWaitForTheDatabaseAndNothingRunsAgain) {
    Worker worker(bench, "a", held.handlers());
    worker.start();
    std::vector<Uuid> ids;
    for (int i = 0; i < 5; ++i) {
        ids.push_back(enqueue());
    }
    ASSERT_TRUE(eventually([&] { return held.ledger.different() == 5; }));
    bench.cut_database();
    held.release.release(5);
    system_clock().sleep_for(milliseconds{1'000}, {});
    EXPECT_EQ(bench.committed(), 0) << "no offset passes an end that is not written";
    bench.restore_database();
    for (const auto& id : ids) {
        EXPECT_TRUE(bench.ends(id, State::succeeded));
        EXPECT_EQ(held.ledger.runs(id), 1);
    }
    EXPECT_TRUE(eventually([&] { return bench.committed() == 5; }));
}

TEST_P(OutageTest, AStopDuringAnOutageLosesNoJob) {
    auto first = std::make_unique<Worker>(bench, "a", held.handlers());
    first->start();
    const auto id = enqueue();
    ASSERT_TRUE(eventually([&] { return held.ledger.runs(id) == 1; }));
    bench.cut_database();
    held.release.release(2);
    EXPECT_LT(first->stop(), milliseconds{9'500});
    first.reset();
    EXPECT_EQ(bench.committed(), 0);
    bench.restore_database();
    Worker second(bench, "b", held.handlers());
    second.start();
    EXPECT_TRUE(bench.ends(id, State::succeeded)) << "its record is read again";
    EXPECT_EQ(bench.count("gantry.audit WHERE action = 'effect'"),
              GetParam() == std::string("test.effect") ? 1 : 0);
}

TEST_P(OutageTest, WorkersRebalanceWhileTheDatabaseIsAway) {
    Worker first(bench, "a", held.handlers());
    first.start();
    std::vector<Uuid> ids;
    for (int i = 0; i < 6; ++i) {
        ids.push_back(enqueue());
    }
    ASSERT_TRUE(eventually([&] { return held.ledger.different() == 6; }));
    bench.cut_database();
    held.release.release(100);
    Worker second(bench, "b", held.handlers());
    second.start();
    // The first gives its partitions back, and neither can claim what it is given.
    ASSERT_TRUE(eventually([&] { return first.partitions() == 0; }));
    system_clock().sleep_for(milliseconds{1'000}, {});
    EXPECT_EQ(first.partitions() + second.partitions(), 0U);
    bench.restore_database();
    EXPECT_TRUE(eventually([&] { return first.partitions() + second.partitions() == 2; }));
    for (const auto& id : ids) {
        EXPECT_TRUE(bench.ends(id, State::succeeded));
    }
    EXPECT_TRUE(eventually([&] { return bench.committed() == 6; }));
    EXPECT_TRUE(eventually([&] { return first.work.in_flight.size() == 0; }));
}

TEST_P(OutageTest, AWorkerStartedDuringAnOutageBeginsByItself) {
    const auto id = enqueue();
    ASSERT_TRUE(eventually([&] { return bench.count("gantry.outbox_wakeup") == 0; }));
    bench.cut_database();
    held.release.release(1);
    Worker worker(bench, "a", held.handlers());
    worker.start();
    system_clock().sleep_for(milliseconds{2'500}, {});
    EXPECT_EQ(worker.partitions(), 0U);
    bench.restore_database();
    EXPECT_TRUE(bench.ends(id, State::succeeded));
}

}  // namespace
}  // namespace gantry::worker::testing
