// What the listener's maintenance does to the tables.

#include "maintenance.hpp"
#include "listener_fixture.hpp"

namespace gantry::mllp {
namespace {

using namespace std::chrono_literals;

TEST_F(ListenerTest, ForgetsDuplicatesAfterTheirWindowAndKeepsTheRest) {
    options.dedup_window = 1h;
    begin();
    auto client = connect();
    client.send_message(order("1"));
    ASSERT_EQ(verdict(client.answer()), "AA|1");
    database.exec(
        "INSERT INTO gantry.hl7_dedup (sender, control_id, sha256, message_id, received_at, ack) "
        "SELECT 'HIS', g::text::bytea, 'x', gen_random_uuid(), now() - interval '61 minutes', '' "
        "FROM generate_series(1, 12000) g");
    Maintenance maintenance([this] { return options; }, context, pool);
    ASSERT_TRUE(maintenance.start({}).has_value());
    // More than one slice.
    EXPECT_TRUE(wait_until("(SELECT count(*) FROM gantry.hl7_dedup) = 1"));
    EXPECT_TRUE(maintenance.stop(Deadline::after(10s)).has_value());
    client.send_message(order("1"));
    ASSERT_EQ(verdict(client.answer()), "AA|1");
    EXPECT_EQ(count("hl7_message"), 1);
    const auto days = database.exec(
        "SELECT extract(day FROM retention)::int FROM gantry.partition_policy WHERE table_name = "
        "'hl7_message'");
    EXPECT_EQ(days.front().get<int>(0), 30);
}

}  // namespace
}  // namespace gantry::mllp
