// What becomes a record, and what it looks like.
#include "acceptance.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace gantry::relay {
namespace {

using testing::Bench;
using testing::Mode;

class Records : public InBothModes {};

INSTANTIATE_TEST_SUITE_P(Modes, Records, both_modes(), mode_name);

TEST_P(Records, AnInsertBecomesARecordWithKeyHeadersAndTypeHeader) {
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

TEST_P(Records, AWakeUpIsARecordAndWhatWaitedBeforeTheFirstStartIsPublished) {
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

TEST_P(Records, LeaveNothingOfARollback) {
    const auto relay = bench_.relay();
    auto session = bench_.database().connect();
    ASSERT_TRUE(session->exec_script("BEGIN; SELECT gantry.publish('" + bench_.events() +
                                     "', 'k', 't', 'k:1'); "
                                     "SELECT gantry.enqueue('default', 'gantry.noop'); ROLLBACK"));
    bench_.publish("k", "k:2");
    expect_exactly(1, *relay);
    EXPECT_TRUE(bench_.read(bench_.prefix() + ".jobs.default", 1, milliseconds{1'000}).empty());
}

TEST_P(Records, KeepWhatSavepointsKeep) {
    const auto relay = bench_.relay();
    const auto publish = [this](const std::string& key, int number) {
        return "SELECT gantry.publish('" + bench_.events() + "', '" + key + "', 't', '" + key +
               ":" + std::to_string(number) + "');";
    };
    auto session = bench_.database().connect();
    ASSERT_TRUE(session->exec_script(
        "BEGIN;" + publish("a", 1) + "SAVEPOINT one;" + publish("a", 2) +
        "SELECT gantry.enqueue('default', 'gantry.noop'); ROLLBACK TO one;" + publish("a", 3) +
        "SAVEPOINT two;" + publish("a", 4) + "SAVEPOINT three;" + publish("a", 5) +
        "RELEASE three; RELEASE two;" + publish("a", 6) + "COMMIT"));
    // More subtransactions than a backend keeps in memory; every other one is rolled back.
    ASSERT_TRUE(
        session->exec_script("DO $do$ BEGIN FOR i IN 1..200 LOOP BEGIN "
                             "PERFORM gantry.publish('" +
                             bench_.events() +
                             "', 'b', 't', ('b:' || i)::bytea); "
                             "IF i % 2 = 1 THEN RAISE EXCEPTION 'odd'; END IF; "
                             "EXCEPTION WHEN raise_exception THEN NULL; END; "
                             "END LOOP; END $do$"));
    expect_exactly(5 + 100, *relay);
    EXPECT_TRUE(bench_.read(bench_.prefix() + ".jobs.default", 1, milliseconds{1'000}).empty());
}

TEST_P(Records, ComeOfNoUpdateAndNoDelete) {
    const auto relay = bench_.relay();
    bench_.publish("k", "k:0");
    bench_.publish("k", "k:1");
    ASSERT_TRUE(bench_.arrive(2)) << relay->log();
    auto& database = bench_.database();
    database.exec("UPDATE gantry.outbox_message SET payload = 'k:9' WHERE payload = 'k:0'");
    database.exec("DELETE FROM gantry.outbox_message WHERE payload = 'k:1'");
    bench_.publish("k", "k:2");
    expect_exactly(3, *relay);
}

TEST_P(Records, ComeOfTransactionalLogicalMessagesWithOurPrefixOnly) {
    const auto relay = bench_.relay();
    auto session = bench_.database().connect();
    // A message that is not transactional survives a rollback, and must not come through.
    ASSERT_TRUE(
        session->exec_script("BEGIN; SELECT pg_logical_emit_message(false, 'gantry', "
                             "'{\"queue\":\"default\"}'); ROLLBACK;"
                             "SELECT pg_logical_emit_message(true, 'gantry', 'no wake-up');"
                             "SELECT pg_logical_emit_message(true, 'other', '{}')"));
    bench_.database().exec("SELECT gantry.enqueue('default', 'gantry.noop', key => 'ours')");
    const auto jobs = bench_.read(bench_.prefix() + ".jobs.default", 1);
    ASSERT_EQ(jobs.size(), 1U) << relay->log();
    EXPECT_EQ(jobs[0].key, "ours");
    bench_.publish("k", "k:0");
    expect_exactly(1, *relay);
}

TEST_P(Records, ComeOfALogicalMessageOnceAndNotAgainAfterARestart) {
    auto relay = bench_.relay();
    ASSERT_TRUE(reads(*relay)) << relay->log();
    const auto topic = bench_.prefix() + ".jobs.default";
    for (int i = 0; i < 3; ++i) {
        bench_.database().exec("SELECT gantry.enqueue('default', 'gantry.noop')");
    }
    ASSERT_EQ(bench_.read(topic, 3).size(), 3U) << relay->log();
    ASSERT_EQ(relay->stop(), 0) << relay->log();
    relay = bench_.relay();
    bench_.database().exec("SELECT gantry.enqueue('default', 'gantry.noop')");
    EXPECT_EQ(bench_.read(topic, 4).size(), 4U) << relay->log();
}

TEST_P(Records, AreTheSameWhenTheColumnsChangeTheirOrder) {
    const auto relay = bench_.relay();
    bench_.publish("k", "k:0");
    ASSERT_TRUE(bench_.arrive(1)) << relay->log();
    bench_.publish("k", "k:1");
    ASSERT_TRUE(bench_.database().connect()->exec_script(
        "BEGIN; ALTER TABLE gantry.outbox_message RENAME COLUMN subject TO subject_was;"
        "ALTER TABLE gantry.outbox_message RENAME COLUMN payload TO payload_was;"
        "ALTER TABLE gantry.outbox_message ADD COLUMN subject text, ADD COLUMN extra int DEFAULT 7,"
        " ADD COLUMN payload bytea;"
        "UPDATE gantry.outbox_message SET payload = payload_was, subject = subject_was;"
        "ALTER TABLE gantry.outbox_message DROP COLUMN subject_was, DROP COLUMN payload_was;"
        "COMMIT"));
    bench_.database().exec("SELECT gantry.publish($1, 'k', 't', 'k:2', subject => 'the subject')",
                           {bench_.events()});
    const auto got = bench_.read(bench_.events(), 3);
    ASSERT_EQ(got.size(), 3U) << relay->log();
    EXPECT_EQ(got[2].value, "k:2");
    EXPECT_EQ(got[2].header("ce_subject"), "the subject");
    expect_exactly(3, *relay);
}

TEST_P(Records, GoOnWhenTheTableIsMadeAnew) {
    const auto relay = bench_.relay();
    bench_.publish("k", "k:0");
    ASSERT_TRUE(bench_.arrive(1)) << relay->log();
    ASSERT_TRUE(bench_.database().connect()->exec_script(
        "BEGIN; CREATE TABLE gantry.made_anew (LIKE gantry.outbox_message INCLUDING ALL)"
        " PARTITION BY RANGE (created_at);"
        "DROP TABLE gantry.outbox_message;"
        "ALTER TABLE gantry.made_anew RENAME TO outbox_message;"
        "ALTER TABLE gantry.outbox_message ALTER COLUMN id RESTART WITH 1000;"
        "CREATE TABLE gantry.outbox_message_default PARTITION OF gantry.outbox_message DEFAULT;"
        "ALTER PUBLICATION gantry_outbox ADD TABLE gantry.outbox_message;"
        "COMMIT"));
    for (int i = 1; i < 20; ++i) {
        bench_.publish("k", "k:" + std::to_string(i));
    }
    expect_exactly(20, *relay);
}

TEST_P(Records, OfInterleavedWritersComeAlthoughTheLowerIdCommitsLater) {
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
    expect_exactly(count + 5, *relay);
}

TEST_P(Records, KeepNullAndEmptyPayloadsApart) {
    const auto relay = bench_.relay();
    auto& database = bench_.database();
    database.exec("SELECT gantry.publish($1, 'null', 't', NULL)", {bench_.events()});
    database.exec("SELECT gantry.publish($1, 'empty', 't', '')", {bench_.events()});
    database.exec("SELECT gantry.publish($1, NULL, 't', 'no key')", {bench_.events()});
    const auto got = bench_.read(bench_.events(), 3);
    ASSERT_EQ(got.size(), 3U) << relay->log();
    std::map<std::optional<std::string>, std::optional<std::string>> by_key;
    for (const auto& message : got) {
        by_key[message.key] = message.value;
    }
    // A NULL payload is a tombstone.
    EXPECT_EQ(by_key.at("null"), std::nullopt);
    EXPECT_EQ(by_key.at("empty"), "");
    EXPECT_EQ(by_key.at(std::nullopt), "no key");
}

TEST_P(Records, CarryABinaryPayloadUntouched) {
    const auto relay = bench_.relay();
    std::string binary;
    for (int i = 0; i < 1024; ++i) {
        binary += static_cast<char>(i);
    }
    bench_.publish("binary", binary);
    const auto got = bench_.read(bench_.events(), 1);
    ASSERT_EQ(got.size(), 1U) << relay->log();
    EXPECT_EQ(got[0].value, binary);
}

TEST_P(Records, CarryAPayloadOfOneMegabyte) {
    const auto relay = bench_.relay();
    std::string large;
    for (std::size_t i = 0; i < 1'000'000; ++i) {
        large += static_cast<char>(i * 2'654'435'761U >> 13);
    }
    bench_.publish("large", large);
    const auto got = bench_.read(bench_.events(), 1);
    ASSERT_EQ(got.size(), 1U) << relay->log();
    EXPECT_TRUE(got[0].value == large);
}

TEST_P(Records, OfAQueueThatIsDeclaredLaterFindTheirTopicMade) {
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
