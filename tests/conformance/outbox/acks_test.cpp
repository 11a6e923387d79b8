// Kafka's answers come in another order than the records went.
#include "acceptance.hpp"
#include "mock_kafka.hpp"

namespace gantry::relay {
namespace {

using testing::Bench;
using testing::MockKafka;

class Acks : public InBothModes {
protected:
    /// A key whose records go to that partition of the events.
    static std::string key_of(int partition) {
        for (int i = 0;; ++i) {
            auto key = "p" + std::to_string(partition) + "n" + std::to_string(i);
            if (kafka::partition_of(key, MockKafka::kPartitions) == partition) {
                return key;
            }
        }
    }

    void publish(const std::string& key, int from, int count) {
        bench_.database().exec(
            "SELECT count(gantry.publish($1, $2, 't', ($2 || ':' || i)::bytea)) "
            "FROM generate_series($3::int, $4::int) i",
            {bench_.events(), key, from, from + count - 1});
    }
};

INSTANTIATE_TEST_SUITE_P(Modes, Acks, both_modes(), mode_name);

TEST_P(Acks, OutOfOrderConfirmNothingThatIsStillOpen) {
    MockKafka kafka(bench_.events());
    const auto slow = key_of(1);  // led by the second broker
    const auto fast = key_of(0);
    const auto start = [&] {
        return std::make_unique<testing::RelayProcess>(bench_.database().url(), kafka.brokers(),
                                                       bench_.prefix(), std::vector<std::string>{});
    };
    auto relay = start();
    // A producer sends the first record of a partition alone.
    ASSERT_TRUE(reads(*relay)) << relay->log();
    publish(slow, 0, 1);
    publish(fast, 0, 1);
    auto verdict = kafka.watch(2, {0, 1});
    ASSERT_EQ(verdict.different, 2U) << relay->log();
    kafka.take_down(2);
    // The first ones have no broker, what is behind them is acknowledged at once.
    publish(slow, 1, 50);
    publish(fast, 1, 500);
    ASSERT_EQ(kafka.watch(501, {0}).different, 501U) << relay->log();
    // Two ticks of the relay, in which it stores how far everything is done.
    const auto ticks = is_wal() ? "SELECT heartbeat_id FROM gantry.outbox_checkpoint"
                                : "SELECT extract(epoch FROM updated_at)::bigint "
                                  "FROM gantry.outbox_cursor";
    const auto before = bench_.number(ticks);
    if (is_wal()) {
        EXPECT_FALSE(
            Bench::eventually([&] { return bench_.number(ticks) > before; }, milliseconds{2'500}))
            << "a heartbeat behind an open record is no proof";
    } else {
        ASSERT_TRUE(Bench::eventually([&] { return bench_.number(ticks) > before + 1; }));
    }
    relay->kill();
    kafka.bring_up(2);
    relay = start();
    verdict = kafka.watch(552, {0, 1});
    EXPECT_EQ(verdict.different, 552U) << relay->log();
    EXPECT_EQ(verdict.disorder, "");
    EXPECT_LE(verdict.duplicates, 501U);
    EXPECT_EQ(bench_.number("SELECT count(*) FROM gantry.outbox_parked"), 0);
}

}  // namespace
}  // namespace gantry::relay
