#include "gantry/jobs/promoter.hpp"
#include "fixture.hpp"

namespace gantry::jobs {
namespace {

TEST_F(JobsTest, ADueJobIsQueuedUnderANewDispatch) {
    const auto job = enqueue(noop());
    auto end = completion(job, Ending::retrying);
    end.error = "x";
    EXPECT_EQ(complete(end), Applied::done);
    EXPECT_EQ(promote_due(pool, 10, soon()).value(), 1U);
    const auto queued = read(job.id);
    EXPECT_EQ(queued.state, State::queued);
    EXPECT_EQ(queued.dispatch, 3);
    EXPECT_EQ(wakeups(job.id), (std::vector<std::int64_t>{1, 3}));
    EXPECT_EQ(promote_due(pool, 10, soon()).value(), 0U);
    const Wakeup old{job.id, 1, {}};
    EXPECT_EQ(check(pool, {&old, 1}, soon()).value().front().verdict, Verdict::stale);
}

TEST_F(JobsTest, AVoidTimerIsRemovedAndChangesNothing) {
    const auto job = enqueue(noop());
    database.exec("INSERT INTO gantry.job_timer VALUES (now() - interval '1 s', $1, 7)", {job.id});
    EXPECT_EQ(promote_due(pool, 10, soon()).value(), 1U);
    EXPECT_EQ(count("gantry.job_timer"), 0);
    EXPECT_EQ(read(job.id).dispatch, 1);
    EXPECT_EQ(wakeups(job.id).size(), 1U);
}

TEST_F(JobsTest, AJobOfTheFutureStaysWhereItIs) {
    auto later = noop();
    later.run_at = system_clock().now() + std::chrono::hours{1};
    const auto job = enqueue(later);
    EXPECT_EQ(promote_due(pool, 10, soon()).value(), 0U);
    EXPECT_EQ(read(job.id).state, State::scheduled);
}

}  // namespace
}  // namespace gantry::jobs
