#include "fixture.hpp"

namespace gantry::orders {
namespace {

using jobs::Ending;

class Hl7ImportTest : public OrdersTest {
protected:
    Uuid message(const std::string& segments) {
        const auto id = Uuid::v7();
        const std::string raw =
            "MSH|^~\\&|LABAPP|NORTH|GANTRY|MAIN|20260203||ORM^O01|MSG1|P|2.5\r"
            "PID|1||PAT-77||Doe^Jane\r" +
            segments;
        database.exec(
            "INSERT INTO gantry.hl7_message (id, size, listener, peer, facility, sha256, sender, "
            "control_id, raw) VALUES ($1, 1, 'l', 'p', 'NORTH', '', '', '', $2)",
            {id, postgres::Bytes{raw}});
        return id;
    }
    jobs::Job import(const Uuid& message) {
        return enqueue("orders", "orders.import_hl7",
                       R"({"messageId":")" + message.to_string() + R"("})");
    }
};

TEST_F(Hl7ImportTest, AMessageBecomesItsOrders) {
    const auto id = message("ORC|NW|A-1\rOBR|1|A-1||CBC\rORC|NW|A-2\rOBR|1|A-2||GLU\r");
    EXPECT_EQ(run(import(id)), Ending::succeeded);
    OrderFilter filter;
    filter.number = "A-1";
    const auto made = store.list(filter, soon())->orders.at(0);
    EXPECT_EQ(made.facility, "NORTH");
    EXPECT_EQ(made.patient_ref, "PAT-77");
    EXPECT_EQ(made.source, Source::hl7);
    EXPECT_EQ(count("orders.orders"), 2);
    EXPECT_EQ(count("orders.orders WHERE message_id = '" + id.to_string() + "'"), 2);
    EXPECT_EQ(events("orders.order_created"), 2);
}

TEST_F(Hl7ImportTest, TheSameOrdersAgainMakeNoOthers) {
    const auto segments = "ORC|NW|A-1\rOBR|1|A-1||CBC\r";
    EXPECT_EQ(run(import(message(segments))), Ending::succeeded);
    EXPECT_EQ(run(import(message(segments))), Ending::succeeded);
    EXPECT_EQ(count("orders.orders"), 1);
    EXPECT_EQ(events("orders.order_created"), 1);
}

TEST_F(Hl7ImportTest, ReadingAMessageIsAudited) {
    const auto id = message("ORC|NW|A-1\rOBR|1|A-1||CBC\r");
    run(import(id));
    EXPECT_EQ(
        count("gantry.audit WHERE action = 'hl7.import' AND object = '" + id.to_string() + "'"), 1);
}

TEST_F(Hl7ImportTest, AMessageThatHoldsNoOrderIsDeadWithoutItsText) {
    const auto job = import(message("ORC|NW|A-1\rOBR|1|A-1||\r"));
    EXPECT_EQ(run(job), Ending::dead);
    const auto dead = read_job(job.id);
    EXPECT_FALSE(dead.error.empty());
    for (const auto* secret : {"PAT-77", "Doe", "Jane", "A-1"}) {
        EXPECT_EQ(dead.error.find(secret), std::string::npos) << dead.error;
    }
    EXPECT_EQ(count("orders.orders"), 0);
}

TEST_F(Hl7ImportTest, ACancellationMakesNothing) {
    EXPECT_EQ(run(import(message("ORC|CA|A-1\rOBR|1|A-1||CBC\r"))), Ending::succeeded);
    EXPECT_EQ(count("orders.orders"), 0);
}

TEST_F(Hl7ImportTest, AMessageThatDoesNotExistIsDeadAtOnce) {
    EXPECT_EQ(run(import(Uuid::v7())), Ending::dead);
}

}  // namespace
}  // namespace gantry::orders
