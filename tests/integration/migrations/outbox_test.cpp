// libs/outbox against the functions it calls.
#include "support.hpp"

#include "gantry/outbox/publish.hpp"

namespace gantry::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Outbox : public ::testing::Test {
protected:
    TestDatabase database;
    Session session{database};
};

TEST_F(Outbox, PublishesEveryPartOfAnEvent) {
    auto transaction = postgres::Transaction::begin(session.connection());
    ASSERT_TRUE(transaction);
    const std::string bytes("\0\xff'\\\"{}", 7);
    const auto id = outbox::publish(*transaction, {.topic = "gantry.events.x",
                                                   .key = "k,\"{}\\ NULL",
                                                   .type = "x.y",
                                                   .payload = bytes,
                                                   .content_type = "text/plain",
                                                   .subject = "s",
                                                   .source = "/here",
                                                   .headers = {{"ce_id", "a\"b"}}});
    ASSERT_TRUE(id) << id.error().message;
    ASSERT_TRUE(transaction->commit());
    const auto rows = session.exec(
        "SELECT id, topic, key, type, payload, content_type, subject, source, headers->>'ce_id' "
        "FROM gantry.outbox_message");
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].get<std::int64_t>(0), *id);
    EXPECT_EQ(rows[0].get<std::string>(2), "k,\"{}\\ NULL");
    EXPECT_EQ(rows[0].bytes(4), bytes);
    EXPECT_EQ(rows[0].get<std::string>(5), "text/plain");
    EXPECT_EQ(rows[0].get<std::string>(6), "s");
    EXPECT_EQ(rows[0].get<std::string>(7), "/here");
    EXPECT_EQ(rows[0].get<std::string>(8), "a\"b");
}

TEST_F(Outbox, BatchKeepsItsOrder) {
    auto transaction = postgres::Transaction::begin(session.connection());
    ASSERT_TRUE(transaction);
    std::vector<outbox::Event> events;
    for (const auto* type : {"c", "a", "b"}) {
        events.push_back({.topic = "t", .key = std::nullopt, .type = type});
    }
    events.push_back({.topic = "t", .key = "k", .type = "d", .payload = std::nullopt});
    const auto ids = outbox::publish_batch(*transaction, events);
    ASSERT_TRUE(ids) << ids.error().message;
    EXPECT_TRUE(std::is_sorted(ids->begin(), ids->end()));
    ASSERT_TRUE(transaction->commit());
    std::vector<std::string> types;
    for (const auto row : session.exec("SELECT type FROM gantry.outbox_message ORDER BY id")) {
        types.push_back(row.get<std::string>(0));
    }
    EXPECT_THAT(types, ElementsAre("c", "a", "b", "d"));
    EXPECT_TRUE(
        session.value<bool>("SELECT payload IS NULL FROM gantry.outbox_message WHERE type = 'd'"));
}

TEST_F(Outbox, RefusesBadTextBeforeItReachesTheDatabase) {
    auto transaction = postgres::Transaction::begin(session.connection());
    ASSERT_TRUE(transaction);
    const auto refused =
        outbox::publish(*transaction, {.topic = "t", .key = std::string("\xc3(", 2), .type = "x"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::invalid_argument);
    ASSERT_EQ(refused.error().fields.size(), 1U);
    EXPECT_EQ(refused.error().fields[0].field, "key");
    // The transaction is still good.
    EXPECT_TRUE(outbox::publish(*transaction, {.topic = "t", .key = "ü", .type = "x"}));
}

TEST_F(Outbox, WakesJobs) {
    session.exec("UPDATE gantry.setting SET value = 'polling' WHERE name LIKE 'outbox.%'");
    auto transaction = postgres::Transaction::begin(session.connection());
    ASSERT_TRUE(transaction);
    const auto job = Uuid::v7();
    const std::vector<outbox::Wakeup> wakeups{{"orders", job, 4, "k"},
                                              {"default", Uuid::v7(), 1, std::nullopt}};
    ASSERT_TRUE(outbox::wake(*transaction, wakeups));
    ASSERT_TRUE(outbox::wake(*transaction, {}));
    ASSERT_TRUE(transaction->commit());
    const auto rows =
        session.exec("SELECT queue, job, dispatch, key FROM gantry.outbox_wakeup ORDER BY id");
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].get<std::string>(0), "orders");
    EXPECT_EQ(rows[0].get<Uuid>(1), job);
    EXPECT_EQ(rows[0].get<int>(2), 4);
    EXPECT_EQ(rows[0].get<std::string>(3), "k");
    EXPECT_TRUE(rows[1].is_null(3));
}

}  // namespace
}  // namespace gantry::testing
