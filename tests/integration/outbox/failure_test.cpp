#include "bench.hpp"

#include <gmock/gmock.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "options.hpp"
#include "outbox_api.hpp"

namespace gantry::relay {
namespace {

using testing::Bench;
using testing::judge;
using testing::Mode;

class Failure : public ::testing::TestWithParam<Mode> {
protected:
    Bench bench_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Modes, Failure, ::testing::Values(Mode::wal, Mode::polling),
                         [](const auto& mode) {
                             return mode.param == Mode::wal ? "Wal" : "Polling";
                         });

TEST_P(Failure, ParksWhatKafkaRefusesAndLetsTheNeighboursFlow) {
    const auto relay = bench_.relay();
    auto& database = bench_.database();
    const auto unknown = bench_.prefix() + ".nowhere";
    auto session = database.connect();
    ASSERT_TRUE(session->exec_script("BEGIN; SELECT gantry.publish('" + bench_.events() +
                                     "', 'k', 't', 'k:1');" + "SELECT gantry.publish('" + unknown +
                                     "', 'k', 'lost.event', 'patient', '{\"x\": \"1\"}');" +
                                     "SELECT gantry.publish('" + bench_.events() +
                                     "', 'k', 't', 'k:2'); COMMIT"));
    // Larger than the broker takes together with its headers.
    database.exec("SELECT gantry.publish($1, 'k', 't', repeat('x', 1048576)::bytea)",
                  {bench_.events()});
    bench_.publish("k", "k:3");
    const auto verdict = judge(bench_.read(bench_.events(), 3));
    EXPECT_EQ(verdict.different, 3U) << relay->log();
    EXPECT_EQ(verdict.disorder, "");
    ASSERT_TRUE(Bench::eventually([&] {
        return bench_.number("SELECT count(*) FROM gantry.outbox_parked") == 2;
    })) << relay->log();
    const auto rows = database.exec(
        "SELECT position, lane, outbox_id, topic, convert_from(key, 'UTF8'), type, payload, "
        "headers->>'x', reason, headers->>'ce_id' FROM gantry.outbox_parked ORDER BY id");
    const auto parked = rows[0];
    EXPECT_EQ(parked.get<std::string>(0), "ledger:" + parked.get<std::string>(2));
    EXPECT_EQ(parked.get<std::string>(1), "ledger");
    EXPECT_EQ(parked.get<std::string>(3), unknown);
    EXPECT_EQ(parked.get<std::string>(4), "k");
    EXPECT_EQ(parked.get<std::string>(5), "lost.event");
    EXPECT_EQ(parked.bytes(6), "patient");
    EXPECT_EQ(parked.get<std::string>(7), "1");
    EXPECT_EQ(parked.get<std::string>(8), "UNKNOWN_TOPIC");
    EXPECT_EQ(parked.get<std::string>(9), parked.get<std::string>(2));
    EXPECT_EQ(rows[1].get<std::string>(8), "MSG_SIZE_TOO_LARGE");
    // No payload in the log.
    EXPECT_FALSE(relay->logged("patient"));

    metrics::Registry metrics;
    postgres::Pool pool(database.options(), metrics);
    outbox::v1::ListParkedRequest request;
    request.set_page_size(1);
    const auto page = list_parked(pool, request, Deadline::after(milliseconds{5'000}));
    ASSERT_TRUE(page);
    ASSERT_EQ(page->records_size(), 1);
    EXPECT_EQ(page->records(0).payload_bytes(), 7);
    request.set_page_token(page->next_page_token());
    const auto second = list_parked(pool, request, Deadline::after(milliseconds{5'000}));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->records(0).reason(), "MSG_SIZE_TOO_LARGE");
    EXPECT_EQ(second->next_page_token(), "");
    request.set_page_size(-1);
    EXPECT_FALSE(list_parked(pool, request, Deadline::after(milliseconds{5'000})));
}

TEST_P(Failure, HoldsWhatIsForADeclaredTopicThatCannotBeMadeYet) {
    // One broker cannot hold three replicas.
    auto relay = bench_.relay({"--relay.replication_factor=3"});
    bench_.publish("k", "k:1");
    ASSERT_TRUE(Bench::eventually([&] {
        return relay->logged("declared topics cannot be ensured") && relay->logged("leading");
    })) << relay->log();
    EXPECT_FALSE(
        Bench::eventually([&] { return relay->logged("set a record aside"); }, milliseconds{2'000}))
        << relay->log();
    EXPECT_EQ(relay->stop(), 0);
    relay = bench_.relay();
    bench_.publish("k", "k:2");
    const auto verdict = judge(bench_.read(bench_.events(), 2));
    EXPECT_EQ(verdict.different, 2U) << relay->log();
    EXPECT_EQ(verdict.disorder, "");
    EXPECT_EQ(bench_.number("SELECT count(*) FROM gantry.outbox_parked"), 0);
}

TEST_P(Failure, DoesNotPublishAParkedRecordAgainAfterARestart) {
    auto relay = bench_.relay();
    const auto unknown = bench_.prefix() + ".later";
    bench_.database().exec("SELECT gantry.publish($1, 'k', 't', 'k:1'::bytea)", {unknown});
    ASSERT_TRUE(Bench::eventually([&] {
        return bench_.number("SELECT count(*) FROM gantry.outbox_parked") == 1;
    })) << relay->log();
    relay->kill();
    const auto created =
        bench_.admin().create_topics({{unknown, 1, -1, {}}}, Deadline::after(milliseconds{10'000}));
    ASSERT_TRUE(created);
    relay = bench_.relay();
    bench_.database().exec("SELECT gantry.publish($1, 'k', 't', 'k:2'::bytea)", {unknown});
    const auto got = bench_.read(unknown, 1);
    ASSERT_EQ(got.size(), 1U) << relay->log();
    EXPECT_EQ(got[0].value, "k:2");
}

TEST_P(Failure, GoesOnAfterADatabaseRestartBreaksEveryConnection) {
    const auto relay = bench_.relay();
    const auto standby = bench_.relay();
    testing::Load load(bench_.database().url(), bench_.events());
    for (int round = 0; round < 3; ++round) {
        ASSERT_TRUE(bench_.arrive(static_cast<std::size_t>(50 * (round + 1))));
        bench_.database().kill_sessions();
    }
    // A commit whose answer was lost is repeated by the load under the same number.
    const auto committed = load.stop();
    const auto verdict = judge(bench_.read(bench_.events(), committed));
    EXPECT_GE(verdict.different, committed) << relay->log();
    EXPECT_EQ(verdict.disorder, "");
    EXPECT_EQ(relay->stop(), 0);
    EXPECT_EQ(standby->stop(), 0);
}

TEST_P(Failure, WaitsForKafkaAndLosesNothing) {
    // A broker in memory, because it can be taken away without hurting another test.
    char text[256];
    auto* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", text, sizeof text);
    auto* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    ASSERT_NE(client, nullptr);
    auto* cluster = rd_kafka_mock_cluster_new(client, 1);
    const auto events = bench_.prefix() + ".events.orders";
    rd_kafka_mock_topic_create(cluster, events.c_str(), 4, 1);
    {
        const testing::RelayProcess relay(bench_.database().url(),
                                          rd_kafka_mock_cluster_bootstraps(cluster),
                                          bench_.prefix(), {"--relay.inflight_bytes=2MiB"});
        bench_.publish("a", "a:0");
        kafka::Options options;
        options.brokers = rd_kafka_mock_cluster_bootstraps(cluster);
        kafka::ConsumerSettings settings;
        settings.group = "g";
        metrics::Registry metrics;
        auto consumer = kafka::Consumer::create(options, settings, metrics);
        ASSERT_TRUE(consumer);
        std::vector<kafka::TopicPartitionOffset> from;
        for (int partition = 0; partition < 4; ++partition) {
            from.push_back({events, partition, 0});
        }
        ASSERT_TRUE((*consumer)->assign(from));
        std::vector<kafka::Message> got;
        const auto take = [&](std::size_t count, milliseconds limit) {
            const auto deadline = Deadline::after(limit);
            while (got.size() < count && !deadline.expired()) {
                auto event = (*consumer)->poll(milliseconds{50});
                if (auto* message = std::get_if<kafka::Message>(&event)) {
                    got.push_back(std::move(*message));
                }
            }
            return got.size();
        };
        ASSERT_EQ(take(1, milliseconds{30'000}), 1U) << relay.log();
        rd_kafka_mock_broker_set_down(cluster, 1);
        // More than the relay takes in at a time, over longer than a silent reader is tolerated.
        constexpr std::size_t kCount = 6'000;
        bench_.database().exec(
            "SELECT count(gantry.publish($1, 'k', 't', ('k:' || i || repeat(' ', 500))::bytea)) "
            "FROM generate_series(1, $2::int) i",
            {events, kCount});
        EXPECT_EQ(take(2, milliseconds{7'000}), 1U);
        EXPECT_FALSE(relay.logged("reading the outbox failed")) << relay.log();
        EXPECT_LT(relay.resident_kib(), 100 * 1024);
        rd_kafka_mock_broker_set_up(cluster, 1);
        take(kCount + 1, milliseconds{60'000});
        const auto verdict = judge(got);
        EXPECT_EQ(verdict.different, kCount + 1) << relay.log();
        EXPECT_EQ(verdict.disorder, "");
        EXPECT_EQ(bench_.number("SELECT count(*) FROM gantry.outbox_parked"), 0);
    }
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(client);
}

TEST(Options, AreReportedTogetherAndExit78) {
    Bench bench(Mode::polling);
    auto relay =
        bench.relay({"--relay.lease_ttl=1s", "--relay.partitions=0", "--relay.nonsense=1"});
    ASSERT_TRUE(Bench::eventually([&] { return relay->logged("relay.nonsense"); })) << relay->log();
    EXPECT_TRUE(relay->logged("relay.lease_ttl"));
    EXPECT_TRUE(relay->logged("relay.partitions"));
    EXPECT_EQ(relay->stop(), 78);
}

}  // namespace
}  // namespace gantry::relay
