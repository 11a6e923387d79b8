#include "fixture.hpp"

#include <nlohmann/json.hpp>

namespace gantry::jobs {
namespace {

TEST_F(JobsTest, TheCheckRunsOnlyTheCurrentDispatchOfAQueuedJob) {
    auto asked = noop();
    asked.payload = "p";
    asked.timeout = milliseconds{1'500};
    const auto job = enqueue(asked);
    const std::vector<Wakeup> wakeups{
        {job.id, 1, {}}, {job.id, 2, {}}, {Uuid::v7(), 1, {}}, {job.id, 0, {}}};
    const auto answers = check(pool, wakeups, soon()).value();
    ASSERT_EQ(answers.size(), 4U);
    EXPECT_EQ(answers[0].verdict, Verdict::run);
    EXPECT_EQ(answers[0].job->payload, "p");
    EXPECT_EQ(answers[0].job->timeout, milliseconds{1'500});
    EXPECT_EQ(answers[0].job->retry.cap, std::chrono::hours{1});
    EXPECT_EQ(answers[1].verdict, Verdict::stale);
    EXPECT_EQ(answers[2].verdict, Verdict::missing);
    EXPECT_EQ(answers[3].verdict, Verdict::stale);
}

TEST_F(JobsTest, TheOriginOfAMissingRowIsAskedOfItsTransaction) {
    const auto connection = database.connect();
    auto open = postgres::Transaction::begin(*connection).value();
    const auto xid = open.xid().value();
    EXPECT_EQ(origin_of(pool, xid, soon()).value(), Origin::in_progress);
    ASSERT_TRUE(open.commit());
    EXPECT_EQ(origin_of(pool, xid, soon()).value(), Origin::committed);
    auto undone = postgres::Transaction::begin(*connection).value();
    const auto lost = undone.xid().value();
    undone.rollback();
    EXPECT_EQ(origin_of(pool, lost, soon()).value(), Origin::void_record);
    EXPECT_EQ(origin_of(pool, "9223372036854775000", soon()).value(), Origin::void_record);
    EXPECT_EQ(origin_of(pool, "", soon()).value(), Origin::void_record);
}

TEST_F(JobsTest, ASuccessKeepsTheResultAndRaisesTheDispatch) {
    const auto job = enqueue(noop());
    auto end = completion(job, Ending::succeeded);
    end.result = std::string("\0r", 2);
    end.result_content_type = "text/plain";
    EXPECT_EQ(complete(end), Applied::done);
    const auto done = read(job.id);
    EXPECT_EQ(done.state, State::succeeded);
    EXPECT_EQ(done.dispatch, 2);
    EXPECT_EQ(done.attempt, 1);
    EXPECT_EQ(done.result, *end.result);
    EXPECT_TRUE(done.finished_at && done.started_at);
    EXPECT_EQ(complete(end), Applied::refused) << "a completion counts once";
}

TEST_F(JobsTest, AStaleDispatchAndAStaleEpochAreRefused) {
    const auto job = enqueue(noop());
    auto stale = completion(job, Ending::succeeded);
    stale.dispatch = 0;
    EXPECT_EQ(complete(stale), Applied::refused);
    const auto old = completion(job, Ending::succeeded);
    claim("other");
    EXPECT_EQ(complete(old), Applied::refused) << "the partition has another owner";
    EXPECT_EQ(read(job.id).state, State::queued);
}

TEST_F(JobsTest, ATakeoverWaitsForACompletionThatIsBeingWritten) {
    const auto job = enqueue(noop());
    bool effects_failed = false;
    // Inside the completion's transaction the epoch cannot be raised.
    const auto answer = completions.complete_with(
        completion(job, Ending::succeeded),
        [&](postgres::Transaction&) -> Result<void> {
            auto other = database.connect();
            EXPECT_TRUE(other->exec("SET lock_timeout = '100ms'"));
            const auto raised = other->exec("UPDATE gantry.job_partition SET epoch = epoch + 1");
            EXPECT_FALSE(raised);
            return {};
        },
        soon(), effects_failed);
    EXPECT_EQ(answer.value(), Applied::done);
}

TEST_F(JobsTest, ARetryHasATimerAndItsHistory) {
    const auto job = enqueue(noop());
    auto end = completion(job, Ending::retrying);
    end.delay = milliseconds{60'000};
    end.error = "no luck";
    EXPECT_EQ(complete(end), Applied::done);
    const auto retrying = read(job.id);
    EXPECT_EQ(retrying.state, State::retrying);
    EXPECT_EQ(retrying.error, "no luck");
    EXPECT_TRUE(retrying.run_at);
    const auto timers = database.exec("SELECT job, dispatch FROM gantry.job_timer");
    ASSERT_EQ(timers.size(), 1U);
    EXPECT_EQ(timers.front().get<std::int64_t>(1), 2);
    EXPECT_EQ(wakeups(job.id).size(), 1U) << "nobody is woken before the time";
}

TEST_F(JobsTest, ADeadJobHasARowAndARecordWithItsHistory) {
    auto asked = noop();
    asked.key = "k";
    const auto job = enqueue(asked);
    auto end = completion(job, Ending::dead);
    end.error = "no \"luck\"";
    end.reason = "attempts_exhausted";
    EXPECT_EQ(complete(end), Applied::done);
    EXPECT_EQ(read(job.id).state, State::dead);
    EXPECT_EQ(count("gantry.job_dead WHERE reason = 'attempts_exhausted'"), 1);
    const auto records = database.exec(
        "SELECT topic, key, type, convert_from(payload, 'UTF8') FROM gantry.outbox_message");
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records.front().text(0), "t.dead.jobs");
    EXPECT_EQ(records.front().text(1), "k");
    const auto body = nlohmann::json::parse(records.front().text(3));
    EXPECT_EQ(body.at("id"), job.id.to_string());
    EXPECT_EQ(body.at("reason"), "attempts_exhausted");
    EXPECT_EQ(body.at("history").at(0).at("error"), "no \"luck\"");
}

TEST_F(JobsTest, AHandedBackJobIsWokenAnewWithoutAnAttempt) {
    const auto job = enqueue(noop());
    auto end = completion(job, Ending::handed_back);
    end.attempt = job.attempt;
    EXPECT_EQ(complete(end), Applied::done);
    const auto back = read(job.id);
    EXPECT_EQ(back.state, State::queued);
    EXPECT_EQ(back.attempt, 0);
    EXPECT_EQ(wakeups(job.id), (std::vector<std::int64_t>{1, 2}));
}

TEST_F(JobsTest, EffectsCommitWithTheCompletionOrNotAtAll) {
    database.exec("CREATE TABLE effect (n integer)");
    const auto write = [](postgres::Transaction& transaction) -> Result<void> {
        TRY(transaction.exec("INSERT INTO effect VALUES (1)"));
        return {};
    };
    bool effects_failed = false;
    const auto job = enqueue(noop());
    const auto end = completion(job, Ending::succeeded);
    EXPECT_EQ(completions.complete_with(end, write, soon(), effects_failed).value(), Applied::done);
    EXPECT_EQ(completions.complete_with(end, write, soon(), effects_failed).value(),
              Applied::refused);
    EXPECT_EQ(count("effect"), 1);

    const auto second = enqueue(noop());
    const auto failing = [&](postgres::Transaction& transaction) -> Result<void> {
        TRY(write(transaction));
        return fail(Code::aborted, "changed my mind");
    };
    const auto failed = completions.complete_with(completion(second, Ending::succeeded), failing,
                                                  soon(), effects_failed);
    EXPECT_FALSE(failed);
    EXPECT_TRUE(effects_failed);
    EXPECT_EQ(count("effect"), 1);
    EXPECT_EQ(read(second.id).state, State::queued);
}

TEST_F(JobsTest, AKeptJobIsCheckedAndCompletedAsWell) {
    const auto job = enqueue(noop());
    database.exec(
        "WITH moved AS (DELETE FROM gantry.job RETURNING *) INSERT INTO gantry.job_kept SELECT * "
        "FROM moved");
    const Wakeup wakeup{job.id, 1, {}};
    EXPECT_EQ(check(pool, {&wakeup, 1}, soon()).value().front().verdict, Verdict::run);
    EXPECT_EQ(complete(completion(job, Ending::succeeded)), Applied::done);
    EXPECT_EQ(read(job.id).state, State::succeeded);
    EXPECT_EQ(store.list({}, soon()).value().jobs.size(), 1U);
}

TEST_F(JobsTest, FinishingIsAHotUpdate) {
    const auto job = enqueue(noop());
    bool effects_failed = false;
    std::int64_t updated = 0;
    std::int64_t hot = 0;
    // The session's own counters say what its transaction did.
    const auto look = [&](postgres::Transaction& transaction) -> Result<void> {
        const auto rows = TRY(transaction.exec(
            "SELECT sum(pg_stat_get_xact_tuples_updated(oid)), "
            "sum(pg_stat_get_xact_tuples_hot_updated(oid)) FROM pg_class WHERE relname ~ "
            "'^job_([0-9]{8}|default)$'"));
        updated = rows.front().get<std::int64_t>(0);
        hot = rows.front().get<std::int64_t>(1);
        return {};
    };
    EXPECT_EQ(
        completions.complete_with(completion(job, Ending::succeeded), look, soon(), effects_failed)
            .value(),
        Applied::done);
    EXPECT_EQ(updated, 1);
    EXPECT_EQ(hot, 1);
}

}  // namespace
}  // namespace gantry::jobs
