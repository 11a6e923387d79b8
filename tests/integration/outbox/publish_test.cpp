#include "bench.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace gantry::relay {
namespace {

using testing::Bench;
using testing::judge;
using testing::Mode;

class Publish : public ::testing::TestWithParam<Mode> {
protected:
    Bench bench_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Modes, Publish, ::testing::Values(Mode::wal, Mode::polling),
                         [](const auto& mode) {
                             return mode.param == Mode::wal ? "Wal" : "Polling";
                         });

TEST_P(Publish, MakesACloudEventOfWhatPsqlCommits) {
    const auto relay = bench_.relay();
    bench_.database().exec(
        "SELECT gantry.publish($1, 'order-1', 'orders.order_created', '{\"a\":1}'::bytea, "
        "headers => '{\"x-tenant\": \"t\\u00fc\"}', subject => 'order-1', "
        "content_type => 'application/json', source => '/gantry/orders', "
        "traceparent => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')",
        {bench_.events()});
    const auto got = bench_.read(bench_.events(), 1);
    ASSERT_EQ(got.size(), 1U) << relay->log();
    const auto& record = got[0];
    EXPECT_EQ(record.key, "order-1");
    EXPECT_EQ(record.value, "{\"a\":1}");
    EXPECT_EQ(record.header("ce_specversion"), "1.0");
    EXPECT_EQ(record.header("ce_id"),
              std::to_string(bench_.number("SELECT id FROM gantry.outbox_message")));
    EXPECT_EQ(record.header("ce_type"), "orders.order_created");
    EXPECT_EQ(record.header("ce_source"), "/gantry/orders");
    EXPECT_EQ(record.header("ce_subject"), "order-1");
    EXPECT_TRUE(record.header("ce_time"));
    EXPECT_EQ(record.header("content-type"), "application/json");
    EXPECT_EQ(record.header("traceparent"),
              "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    EXPECT_EQ(record.header("x-tenant"), "t\xc3\xbc");
    EXPECT_EQ(record.header("ce_gantryepoch"), std::to_string(bench_.epoch()));
    EXPECT_EQ(record.partition, kafka::partition_of("order-1", 4));
}

TEST_P(Publish, WakesAJobAndPublishesWhatWaitedBeforeTheFirstStart) {
    const auto id = bench_.database()
                        .exec("SELECT gantry.enqueue('default', 'gantry.noop', key => 'k')")
                        .front()
                        .get<std::string>(0);
    bench_.publish("k", "k:0");
    const auto relay = bench_.relay();
    const auto jobs = bench_.read(bench_.prefix() + ".jobs.default", 1);
    ASSERT_EQ(jobs.size(), 1U) << relay->log();
    EXPECT_EQ(jobs[0].key, "k");
    EXPECT_EQ(jobs[0].header("ce_type"), "io.gantry.job.wakeup");
    EXPECT_EQ(jobs[0].header("ce_id"), id + "/1");
    const auto value = nlohmann::json::parse(*jobs[0].value);
    EXPECT_EQ(value["id"], id);
    EXPECT_EQ(value["dispatch"], 1);
    EXPECT_EQ(value["key"], "k");
    EXPECT_FALSE(value.contains("queue"));
    EXPECT_EQ(bench_.read(bench_.events(), 1).size(), 1U);
    bench_.database().exec("SELECT gantry.enqueue('default', 'gantry.noop')");
    EXPECT_EQ(bench_.read(bench_.prefix() + ".jobs.default", 2).size(), 2U);
}

TEST_P(Publish, LeavesNothingOfARollback) {
    const auto relay = bench_.relay();
    auto session = bench_.database().connect();
    ASSERT_TRUE(session->exec_script("BEGIN; SELECT gantry.publish('" + bench_.events() +
                                     "', 'k', 't', 'k:1'); "
                                     "SELECT gantry.enqueue('default', 'gantry.noop'); ROLLBACK"));
    ASSERT_TRUE(session->exec_script(
        "BEGIN; SAVEPOINT s; SELECT gantry.publish('" + bench_.events() + "', 'k', 't', 'k:2'); " +
        "SELECT gantry.enqueue('default', 'gantry.noop'); ROLLBACK TO s; " +
        "SELECT gantry.publish('" + bench_.events() + "', 'k', 't', 'k:3'); COMMIT"));
    // A message that is not transactional survives a rollback, and must not come through.
    ASSERT_TRUE(
        session->exec_script("BEGIN; SELECT pg_logical_emit_message(false, 'gantry', "
                             "'{\"queue\":\"default\"}'); ROLLBACK;"
                             "SELECT pg_logical_emit_message(true, 'gantry', 'no wake-up');"
                             "SELECT pg_logical_emit_message(true, 'other', '{}')"));
    bench_.publish("k", "k:4");
    const auto got = bench_.read(bench_.events(), 2);
    ASSERT_EQ(got.size(), 2U) << relay->log();
    EXPECT_EQ(got[0].value, "k:3");
    EXPECT_EQ(got[1].value, "k:4");
    EXPECT_TRUE(bench_.read(bench_.prefix() + ".jobs.default", 1, milliseconds{1'000}).empty());
}

TEST_P(Publish, LosesNothingWhenTheLowerIdCommitsLater) {
    const auto relay = bench_.relay();
    // Making the slot waits for open transactions.
    bench_.publish("first", "first:0");
    ASSERT_TRUE(bench_.arrive(1)) << relay->log();
    auto slow = bench_.database().connect();
    auto slower = bench_.database().connect();
    ASSERT_TRUE(slower->exec_script("BEGIN; SELECT gantry.publish('" + bench_.events() +
                                    "', 'b', 't', 'b:1')"));
    ASSERT_TRUE(slow->exec_script("BEGIN; SELECT gantry.publish('" + bench_.events() +
                                  "', 'a', 't', 'a:1')"));
    std::size_t count = 0;
    for (; count < 200; ++count) {
        bench_.publish("c", "c:" + std::to_string(count));
    }
    ASSERT_TRUE(bench_.arrive(count + 1)) << relay->log();
    ASSERT_TRUE(slow->exec_script("SELECT gantry.publish('" + bench_.events() +
                                  "', 'a', 't', 'a:2'); COMMIT"));
    for (; count < 300; ++count) {
        bench_.publish("c", "c:" + std::to_string(count));
    }
    ASSERT_TRUE(slower->exec_script("COMMIT"));
    bench_.publish("b", "b:2");
    const auto verdict = judge(bench_.read(bench_.events(), count + 5));
    EXPECT_EQ(verdict.different, count + 5);
    EXPECT_EQ(verdict.duplicates, 0U);
    EXPECT_EQ(verdict.disorder, "");
}

TEST_P(Publish, KeepsPayloadsOfEveryKind) {
    const auto relay = bench_.relay();
    auto& database = bench_.database();
    const auto send = [&](const char* key, const postgres::Param& payload) {
        database.exec("SELECT gantry.publish($1, $2, 't', $3::bytea)",
                      {bench_.events(), key, payload});
    };
    std::string binary;
    for (int i = 0; i < 1024; ++i) {
        binary += static_cast<char>(i);
    }
    std::string large;
    for (std::size_t i = 0; i < 1'000'000; ++i) {
        large += static_cast<char>(i * 2'654'435'761U >> 13);
    }
    send("null", nullptr);
    send("empty", postgres::Bytes{""});
    send("binary", postgres::Bytes{binary});
    send("large", postgres::Bytes{large});
    database.exec("SELECT gantry.publish($1, NULL, 't', 'no key'::bytea)", {bench_.events()});
    const auto got = bench_.read(bench_.events(), 5);
    ASSERT_EQ(got.size(), 5U) << relay->log();
    std::map<std::string, std::optional<std::string>> by_key;
    for (const auto& message : got) {
        by_key[message.key.value_or("(null)")] = message.value;
    }
    EXPECT_EQ(by_key["null"], std::nullopt);
    EXPECT_EQ(by_key["empty"], "");
    EXPECT_EQ(by_key["binary"], binary);
    EXPECT_TRUE(by_key["large"] == large);
    EXPECT_EQ(by_key["(null)"], "no key");
}

TEST_P(Publish, CarriesATransactionOf50000RowsInBoundedMemory) {
    const auto relay = bench_.relay();
    bench_.publish("first", "first:0");
    ASSERT_TRUE(bench_.arrive(1));
    bench_.publish_many(50'000);
    const auto verdict = judge(bench_.read(bench_.events(), 50'001));
    EXPECT_EQ(verdict.different, 50'001U) << relay->log();
    EXPECT_EQ(verdict.duplicates, 0U);
    EXPECT_EQ(verdict.disorder, "");
    EXPECT_LT(relay->resident_kib(), 150 * 1024);
    RecordProperty("rss_kib", static_cast<int>(relay->resident_kib()));
    EXPECT_EQ(relay->stop(), 0);
}

TEST_P(Publish, CreatesTheTopicOfAQueueThatIsDeclaredLater) {
    const auto relay = bench_.relay();
    bench_.publish("k", "k:0");
    ASSERT_TRUE(bench_.arrive(1));
    // The wake-up needs its topic at once.
    bench_.database().exec("INSERT INTO gantry.queue (name, partitions) VALUES ('late', 3)");
    bench_.database().exec("SELECT gantry.enqueue('late', 'gantry.noop')");
    EXPECT_EQ(bench_.read(bench_.prefix() + ".jobs.late", 1).size(), 1U) << relay->log();
    EXPECT_EQ(bench_.admin()
                  .partitions(bench_.prefix() + ".jobs.late", Deadline::after(milliseconds{5'000}))
                  .value(),
              3);
    EXPECT_EQ(bench_.number("SELECT count(*) FROM gantry.outbox_parked"), 0);
}

}  // namespace
}  // namespace gantry::relay
