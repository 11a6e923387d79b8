#include "fixture.hpp"

namespace gantry::orders {
namespace {

using jobs::Applied;
using jobs::Ending;
using jobs::State;

TEST_F(OrdersTest, ProcessingQueuesAJobAndItsEndProcessesTheOrder) {
    const auto made = create("A-1");
    const auto job = store.process(made.id, soon()).value();
    EXPECT_EQ(job.queue, "orders");
    EXPECT_EQ(job.type, "orders.process");
    EXPECT_EQ(job.key, made.id.to_string());
    EXPECT_EQ(read(made.id).status, Status::processing);
    EXPECT_EQ(run(job), Ending::succeeded);
    const auto done = read(made.id);
    EXPECT_EQ(done.status, Status::processed);
    EXPECT_TRUE(done.processed_at);
    EXPECT_EQ(events("orders.order_processed"), 1);
    EXPECT_EQ(read_job(job.id).state, State::succeeded);
}

TEST_F(OrdersTest, AskedTwiceItIsTheSameJob) {
    const auto made = create("A-1");
    const auto first = store.process(made.id, soon()).value();
    const auto second = store.process(made.id, soon()).value();
    EXPECT_EQ(first.id, second.id);
    EXPECT_EQ(count("gantry.job"), 1);
    EXPECT_EQ(count("gantry.outbox_wakeup"), 1);
}

TEST_F(OrdersTest, AProcessedOrderIsNotProcessedAgain) {
    const auto made = create("A-1");
    run(store.process(made.id, soon()).value());
    const auto again = store.process(made.id, soon());
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().reason, "ORDER_PROCESSED");
    EXPECT_EQ(count("gantry.job"), 1);
}

TEST_F(OrdersTest, ASecondRunOfTheJobChangesNothing) {
    const auto made = create("A-1");
    const auto job = store.process(made.id, soon()).value();
    const jobs::Wakeup wakeup{job.id, job.dispatch, {}};
    const auto runnable = *jobs::check(pool, {&wakeup, 1}, soon()).value().front().job;
    // Two workers at once, as after a lost session: the fence lets one end through.
    auto first = try_once(runnable);
    auto second = try_once(runnable);
    end(runnable, std::move(first));
    EXPECT_EQ(applied, Applied::done);
    end(runnable, std::move(second));
    EXPECT_EQ(applied, Applied::refused);
    EXPECT_EQ(events("orders.order_processed"), 1);
}

TEST_F(OrdersTest, AJobOfAnotherKindThatProcessesADoneOrderSucceedsQuietly) {
    const auto made = create("A-1");
    run(store.process(made.id, soon()).value());
    const auto other =
        enqueue("orders", "orders.process", R"({"orderId":")" + made.id.to_string() + R"("})");
    EXPECT_EQ(run(other), Ending::succeeded);
    EXPECT_EQ(events("orders.order_processed"), 1);
}

TEST_F(OrdersTest, AnOrderThatDoesNotExistIsDeadAtOnce) {
    const auto job =
        enqueue("orders", "orders.process", R"({"orderId":")" + Uuid::v7().to_string() + R"("})");
    EXPECT_EQ(run(job), Ending::dead);
    EXPECT_EQ(read_job(job.id).state, State::dead);
    EXPECT_EQ(count("gantry.outbox_message WHERE topic = 't.dead.jobs'"), 1);
}

TEST_F(OrdersTest, APayloadThatIsNoneIsDeadAtOnceAndNotRepeated) {
    for (const auto* payload :
         {"", "{", "[]", "{}", R"({"orderId":5})", R"({"orderId":"PAT-77"})"}) {
        const auto job = enqueue("orders", "orders.process", payload);
        EXPECT_EQ(run(job), Ending::dead) << payload;
        EXPECT_EQ(read_job(job.id).error.find("PAT-77"), std::string::npos);
    }
}

TEST_F(OrdersTest, TheDeathOfItsJobFailsTheOrderAndItMayBeProcessedAgain) {
    const auto made = create("A-1");
    const auto job = store.process(made.id, soon()).value();
    const jobs::Wakeup wakeup{job.id, job.dispatch, {}};
    const auto runnable = *jobs::check(pool, {&wakeup, 1}, soon()).value().front().job;
    end(runnable, {jobs::Outcome::dead(Error{Code::internal, "no luck", "NO_LUCK", {}}), {}});
    EXPECT_EQ(read(made.id).status, Status::failed);
    const auto again = store.process(made.id, soon()).value();
    EXPECT_NE(again.id, job.id) << "the dead job's unique key is free";
    EXPECT_EQ(read(made.id).status, Status::processing);
    EXPECT_EQ(run(again), Ending::succeeded);
    EXPECT_EQ(read(made.id).status, Status::processed);
}

TEST_F(OrdersTest, TheDeathOfAnOlderJobFailsNothing) {
    const auto made = create("A-1");
    store.process(made.id, soon()).value();
    const auto done = pool.transact(soon(), [&](postgres::Transaction& transaction) {
        return store.mark_failed(transaction, made.id, Uuid::v7());
    });
    EXPECT_TRUE(done);
    EXPECT_EQ(read(made.id).status, Status::processing);
}

}  // namespace
}  // namespace gantry::orders
