#include "fixture.hpp"
#include "gantry/jobs/leases.hpp"
#include "gantry/jobs/rescuer.hpp"

namespace gantry::jobs {
namespace {

class LeaseTest : public JobsTest {
protected:
    LeaseRequest request(const Job& job) const {
        return {job.id, job.dispatch, job.queue, source, system_clock().now()};
    }
    Applied take(const Job& job) {
        const auto wanted = request(job);
        return leases.take({&wanted, 1}, soon()).value().front();
    }
    SeenLease seen(const Job& job) const {
        const auto rows =
            database.exec("SELECT beat FROM gantry.job_lease WHERE job = $1", {job.id});
        return {job.id, job.dispatch, rows.front().get<std::int64_t>(0)};
    }
    std::size_t rescue_now(const SeenLease& lease) {
        const auto session = database.connect();
        return rescue(*session, {&lease, 1}, "t.dead.jobs").value();
    }
    LeaseStore leases{pool, "me"};
};

TEST_F(LeaseTest, ALeasedJobRunsOnWithoutItsPartition) {
    const auto job = enqueue(noop());
    EXPECT_EQ(take(job), Applied::done);
    EXPECT_EQ(read(job.id).state, State::running);
    claim("other");
    EXPECT_EQ(complete(completion(job, Ending::succeeded)), Applied::done);
    EXPECT_EQ(count("gantry.job_lease"), 0);
}

TEST_F(LeaseTest, ALeaseIsRefusedToAStaleOwner) {
    const auto job = enqueue(noop());
    claim("other");
    EXPECT_EQ(take(job), Applied::refused);
    EXPECT_EQ(read(job.id).state, State::queued);
}

TEST_F(LeaseTest, OnlyTheHolderCompletesALeasedJob) {
    const auto job = enqueue(noop());
    EXPECT_EQ(take(job), Applied::done);
    CompletionStore another(pool, "another", "t.dead.jobs");
    const auto end = completion(job, Ending::succeeded);
    EXPECT_EQ(another.complete({&end, 1}, soon()).value().front(), Applied::refused);
}

TEST_F(LeaseTest, AnUnchangedBeatIsRescuedAndTheOldOwnerIsRefused) {
    const auto job = enqueue(noop());
    EXPECT_EQ(take(job), Applied::done);
    EXPECT_EQ(rescue_now(seen(job)), 1U);
    const auto back = read(job.id);
    EXPECT_EQ(back.state, State::queued);
    EXPECT_EQ(back.attempt, 0);
    EXPECT_EQ(wakeups(job.id), (std::vector<std::int64_t>{1, 2}));
    EXPECT_EQ(complete(completion(job, Ending::succeeded)), Applied::refused);
    const HeldLease held{job.id, job.dispatch};
    EXPECT_EQ(leases.beat({&held, 1}, soon()).value().size(), 1U) << "the owner learns of it";
}

TEST_F(LeaseTest, ABeatKeepsTheLease) {
    const auto job = enqueue(noop());
    EXPECT_EQ(take(job), Applied::done);
    const auto before = seen(job);
    const HeldLease held{job.id, job.dispatch};
    EXPECT_TRUE(leases.beat({&held, 1}, soon()).value().empty());
    EXPECT_EQ(rescue_now(before), 0U);
    EXPECT_EQ(read(job.id).state, State::running);
}

TEST_F(LeaseTest, AJobWhoseWorkersKeepDyingIsDead) {
    auto job = enqueue(noop());
    for (int i = 0; i < Rescuer::kMaxCrashes; ++i) {
        EXPECT_EQ(take(job), Applied::done);
        EXPECT_EQ(rescue_now(seen(job)), 1U);
        job = read(job.id);
    }
    EXPECT_EQ(job.state, State::dead);
    EXPECT_EQ(count("gantry.job_dead WHERE reason = 'worker_crashed'"), 1);
    EXPECT_EQ(count("gantry.outbox_message WHERE topic = 't.dead.jobs'"), 1);
}

}  // namespace
}  // namespace gantry::jobs
