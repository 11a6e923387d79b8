#include "fixture.hpp"

#include <latch>
#include <thread>

namespace gantry::jobs {
namespace {

TEST_F(JobsTest, AnEnqueuedJobIsStoredWithOneWakeUp) {
    auto job = noop();
    job.payload = std::string("\0\xff\x01", 3);
    job.key = "k\"1";
    const auto made = enqueue(job);
    EXPECT_EQ(made.state, State::queued);
    EXPECT_EQ(made.max_attempts, 20);
    const auto stored = read(made.id);
    EXPECT_EQ(stored.payload, job.payload);
    EXPECT_EQ(stored.key, job.key);
    EXPECT_EQ(stored.created_at, made.created_at);
    EXPECT_EQ(wakeups(made.id), std::vector<std::int64_t>{1});
}

TEST_F(JobsTest, AJobOfTheFutureHasATimerAndNoWakeUp) {
    auto job = noop();
    job.run_at = system_clock().now() + std::chrono::hours{1};
    const auto made = enqueue(job);
    EXPECT_EQ(made.state, State::scheduled);
    EXPECT_TRUE(made.run_at);
    EXPECT_EQ(count("gantry.job_timer"), 1);
    EXPECT_TRUE(wakeups(made.id).empty());
}

TEST_F(JobsTest, AnUndeclaredQueueIsNotFoundAndFaultyFieldsAreNamed) {
    auto job = noop();
    job.queue = "nowhere";
    const auto refused = enqueuer.enqueue(job, soon());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::not_found);
    EXPECT_NE(refused.error().message.find("nowhere"), std::string::npos);

    job.queue = "No";
    job.type = "9";
    job.max_attempts = -1;
    const auto faulty = enqueuer.enqueue(job, soon());
    ASSERT_FALSE(faulty);
    EXPECT_EQ(faulty.error().fields.size(), 3U);
}

TEST_F(JobsTest, ConcurrentCallsShareCommitsAndABadOneFailsAlone) {
    // The trigger refuses one type, as a constraint of a later schema might.
    database.exec(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF new.type = 'bad' THEN RAISE EXCEPTION 'no' USING ERRCODE = '23514'; END IF; "
        "RETURN new; END $$");
    database.exec(
        "CREATE TRIGGER refuse BEFORE INSERT ON gantry.job FOR EACH ROW EXECUTE FUNCTION refuse()");
    constexpr int kCalls = 32;
    std::vector<Result<Job>> answers(kCalls, fail(Code::unknown, "not yet"));
    std::latch start(kCalls);
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < kCalls; ++i) {
            threads.emplace_back([&, i] {
                auto job = noop();
                job.type = i == 7 ? "bad" : "gantry.noop";
                job.queue = i == 9 ? "nowhere" : "default";
                start.arrive_and_wait();
                answers[static_cast<std::size_t>(i)] = enqueuer.enqueue(job, soon());
            });
        }
    }
    for (int i = 0; i < kCalls; ++i) {
        const auto& answer = answers[static_cast<std::size_t>(i)];
        EXPECT_EQ(answer.has_value(), i != 7 && i != 9) << i;
    }
    EXPECT_EQ(answers[7].error().code, Code::invalid_argument);
    EXPECT_EQ(answers[9].error().code, Code::not_found);
    EXPECT_EQ(count("gantry.job"), kCalls - 2);
    EXPECT_EQ(count("gantry.outbox_wakeup"), kCalls - 2);
    const auto transactions = database.exec("SELECT count(DISTINCT wake_xid) FROM gantry.job")
                                  .front()
                                  .get<std::int64_t>(0);
    EXPECT_LT(transactions, kCalls - 2);
}

TEST_F(JobsTest, AUniqueKeyIsOneUnfinishedJobAndIsFreedByItsEnd) {
    auto job = noop();
    job.unique_key = "u";
    const auto first = enqueue(job);
    EXPECT_EQ(enqueue(job).id, first.id);
    EXPECT_EQ(complete(completion(first, Ending::succeeded)), Applied::done);
    EXPECT_NE(enqueue(job).id, first.id);
}

TEST_F(JobsTest, ARepeatedRequestIdGetsTheSameJobAndAnotherRequestIsRefused) {
    auto job = noop();
    job.request_id = "r";
    const auto first = enqueue(job);
    EXPECT_EQ(enqueue(job).id, first.id);
    EXPECT_EQ(count("gantry.job"), 1);
    job.payload = "other";
    const auto refused = enqueuer.enqueue(job, soon());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, "REQUEST_ID_REUSED");
}

TEST_F(JobsTest, ARequestIdWithAUniqueKeyInUseRemembersTheFirstJob) {
    auto job = noop();
    job.unique_key = "u";
    const auto first = enqueue(job);
    job.request_id = "r";
    EXPECT_EQ(enqueue(job).id, first.id);
    EXPECT_EQ(complete(completion(first, Ending::succeeded)), Applied::done);
    EXPECT_EQ(enqueue(job).id, first.id);
}

TEST_F(JobsTest, JobsAreListedNewestFirstAPageAtATime) {
    std::vector<Uuid> made;
    for (int i = 0; i < 5; ++i) {
        auto job = noop();
        job.type = i == 2 ? "other" : "gantry.noop";
        made.push_back(enqueue(job).id);
        // Ids of one millisecond have no order of their own.
        system_clock().sleep_for(milliseconds{2}, {});
    }
    JobFilter filter;
    filter.type = "gantry.noop";
    filter.page_size = 3;
    const auto first = store.list(filter, soon()).value();
    ASSERT_EQ(first.jobs.size(), 3U);
    EXPECT_EQ(first.jobs[0].id, made[4]);
    EXPECT_EQ(first.jobs[2].id, made[1]);
    filter.page_token = first.next_page_token;
    const auto second = store.list(filter, soon()).value();
    ASSERT_EQ(second.jobs.size(), 1U);
    EXPECT_EQ(second.jobs[0].id, made[0]);
    EXPECT_TRUE(second.next_page_token.empty());
    filter.page_token = "garbage";
    EXPECT_EQ(store.list(filter, soon()).error().code, Code::invalid_argument);
}

TEST_F(JobsTest, NothingIsAcceptedWhileTheDatabaseIsAway) {
    postgres::Options options = database.options();
    options.url = "postgresql://postgres@127.0.0.1:1/none";
    postgres::Pool away(options, metrics);
    Enqueuer lost(away, system_clock(), metrics);
    const auto refused = lost.enqueue(noop(), soon());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unavailable);
}

}  // namespace
}  // namespace gantry::jobs
