// The message store on a real PostgreSQL: what is acknowledged is in the table, once.

#include "gantry/testing/test_database.hpp"
#include "intake.hpp"
#include "postgres_store.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace gantry::mllp {
namespace {

class StoreTest : public ::testing::Test {
protected:
    NewMessage message(const std::string& control_id, const std::string& type = "ORM^O01") {
        hl7::FrameEvent event;
        event.bytes = "MSH|^~\\&|HIS|NORTH|||1||" + type + "|" + control_id + "|P|2.5\rPID|1\r";
        event.size = event.bytes.size();
        return *intake.read(std::move(event), "192.0.2.1:1").message;
    }
    std::int64_t count(const std::string& table) {
        return database.exec("SELECT count(*) FROM gantry." + table).front().get<std::int64_t>(0);
    }

    gantry::testing::TestDatabase database;
    metrics::Registry metrics;
    postgres::Pool pool{database.options(), metrics};
    PostgresStore store{pool, std::chrono::milliseconds{20'000}};
    Options options;
    Intake intake{options, "gantry", system_clock()};
};

TEST_F(StoreTest, WritesMessageEventAndJobTogether) {
    const auto order = message("1");
    const auto admission = message("2", "ADT^A01");
    const std::vector<const NewMessage*> batch{&order, &admission};
    const auto stored = store.store(batch);
    ASSERT_TRUE(stored.has_value()) << stored.error().message;
    EXPECT_EQ((*stored)[0].ack, order.ack);
    EXPECT_EQ(count("hl7_message"), 2);
    EXPECT_EQ(count("hl7_message WHERE job_id IS NOT NULL AND outbox_id IS NOT NULL"), 1);
    EXPECT_EQ(count("outbox_message WHERE topic = 'gantry.hl7.adt'"), 1);
    const auto rows = database.exec("SELECT raw FROM gantry.hl7_message WHERE id = $1", {order.id});
    EXPECT_EQ(rows.front().bytes(0), order.raw);
}

TEST_F(StoreTest, GivesADuplicateTheFirstAnswerAndWritesNothing) {
    const auto first = message("1");
    const auto again = message("1");
    ASSERT_NE(first.ack, again.ack);
    // Inside one batch, and in the next.
    const std::vector<const NewMessage*> both{&first, &again};
    const auto folded = store.store(both);
    ASSERT_TRUE(folded.has_value()) << folded.error().message;
    EXPECT_EQ((*folded)[1].ack, first.ack);
    EXPECT_TRUE((*folded)[1].duplicate);
    const std::vector<const NewMessage*> later{&again};
    const auto resent = store.store(later);
    ASSERT_TRUE(resent.has_value()) << resent.error().message;
    EXPECT_EQ((*resent)[0].ack, first.ack);
    EXPECT_EQ(count("hl7_message"), 1);
    EXPECT_EQ(count("outbox_message WHERE topic = 'gantry.hl7.orm'"), 1);
}

TEST_F(StoreTest, StoresOnceWhatTwoListenersReceive) {
    std::vector<NewMessage> here;
    std::vector<NewMessage> there;
    for (int i = 0; i < 50; ++i) {
        here.push_back(message(std::to_string(i)));
        there.push_back(message(std::to_string(49 - i)));
    }
    const auto run = [this](const std::vector<NewMessage>& messages) {
        std::vector<const NewMessage*> batch;
        for (const auto& one : messages) {
            batch.push_back(&one);
        }
        EXPECT_TRUE(store.store(batch).has_value());
    };
    {
        const std::jthread first([&] { run(here); });
        const std::jthread second([&] { run(there); });
    }
    EXPECT_EQ(count("hl7_message"), 50);
}

TEST_F(StoreTest, StoresAllOfABatchOrNothing) {
    const auto good = message("1");
    auto bad = message("2");
    bad.topic = "not a topic";
    const std::vector<const NewMessage*> batch{&good, &bad};
    const auto stored = store.store(batch);
    ASSERT_FALSE(stored.has_value());
    EXPECT_FALSE(stored.error().transient());
    EXPECT_EQ(count("hl7_message"), 0);
    EXPECT_EQ(count("hl7_dedup"), 0);
}

TEST_F(StoreTest, SaysThatALostConnectionIsTransientAndRecovers) {
    ASSERT_TRUE(store.rehearse(intake.sample()).has_value());
    database.kill_sessions();
    const auto one = message("1");
    const std::vector<const NewMessage*> batch{&one};
    auto stored = store.store(batch);
    if (!stored) {
        EXPECT_TRUE(stored.error().transient());
        stored = store.store(batch);
    }
    EXPECT_TRUE(stored.has_value());
}

TEST_F(StoreTest, RehearsesWithoutLeavingATrace) {
    ASSERT_TRUE(store.rehearse(intake.sample()).has_value());
    EXPECT_EQ(count("hl7_message"), 0);
    EXPECT_EQ(count("hl7_dedup"), 0);
    EXPECT_EQ(count("outbox_message"), 0);
    EXPECT_EQ(count("job"), 0);
}

TEST_F(StoreTest, FindsInARehearsalThatTheStoreIsAtFault) {
    database.exec("ALTER TABLE gantry.hl7_message RENAME TO elsewhere");
    const auto one = message("1");
    const std::vector<const NewMessage*> batch{&one};
    const auto stored = store.store(batch);
    ASSERT_FALSE(stored.has_value());
    EXPECT_FALSE(stored.error().transient());
    EXPECT_FALSE(store.rehearse(intake.sample()).has_value());
    database.exec("ALTER TABLE gantry.elsewhere RENAME TO hl7_message");
    EXPECT_TRUE(store.rehearse(intake.sample()).has_value());
}

}  // namespace
}  // namespace gantry::mllp
