#include "gantry/orders/hl7_order.hpp"

#include <gtest/gtest.h>

namespace gantry::orders {
namespace {

const std::string kHead =
    "MSH|^~\\&|LABAPP|NORTH^1.2.3^ISO|GANTRY|MAIN|20260203||ORM^O01|MSG1|P|2.5\r"
    "PID|1||PAT-77^^^NORTH^MR~SECOND||Müller^Anna\r";

Result<std::vector<NewOrder>> read(const std::string& segments, const std::string& head = kHead) {
    const std::string bytes = head + segments;
    const auto message = hl7::Message::parse(bytes);
    EXPECT_TRUE(message) << (message ? "" : message.error().message);
    return orders_of(*message);
}

TEST(Hl7Order, IsReadFromItsFields) {
    const auto orders = read("ORC|NW|ORD-1^LABAPP\rOBR|1|ORD-1||CBC^Blood count^L\r");
    ASSERT_TRUE(orders) << orders.error().message;
    ASSERT_EQ(orders->size(), 1U);
    const auto& order = orders->front();
    EXPECT_EQ(order.number, "ORD-1");
    EXPECT_EQ(order.facility, "NORTH");
    EXPECT_EQ(order.patient_ref, "PAT-77");
    EXPECT_EQ(order.source, Source::hl7);
    EXPECT_EQ(order.items, (std::vector<Item>{{"CBC", 1}}));
}

TEST(Hl7Order, ItemsOfOneNumberComeTogetherAndNumbersApart) {
    const auto orders =
        read("ORC|NW|A\rOBR|1|A||CBC\rORC|NW|B\rOBR|1|B||GLU\rORC|NW|A\rOBR|2|A||CRP\r");
    ASSERT_TRUE(orders);
    ASSERT_EQ(orders->size(), 2U);
    EXPECT_EQ((*orders)[0].items, (std::vector<Item>{{"CBC", 1}, {"CRP", 1}}));
    EXPECT_EQ((*orders)[1].items, (std::vector<Item>{{"GLU", 1}}));
}

TEST(Hl7Order, AMedicationAndItsQuantityAreRead) {
    const auto orders = read(
        "ORC|NW|A\rRXO|ASA100^Aspirin|||||||||"
        "|3\r");
    ASSERT_TRUE(orders);
    EXPECT_EQ(orders->front().items, (std::vector<Item>{{"ASA100", 3}}));
}

TEST(Hl7Order, AQuantityThatIsNoneIsOne) {
    const auto with = [](const std::string& quantity) {
        const auto orders = read("ORC|NW|A\rRXO|X||||||||||" + quantity + "\r");
        return orders ? orders->front().items.front().quantity : -1;
    };
    EXPECT_EQ(with("2.0"), 2);
    EXPECT_EQ(with("2.5"), 1);
    EXPECT_EQ(with("0"), 1);
    EXPECT_EQ(with("-3"), 1);
    EXPECT_EQ(with("many"), 1);
    EXPECT_EQ(with("99999999999999999999"), 1);
}

TEST(Hl7Order, TheNumberMayStandInObrOnly) {
    const auto orders = read("ORC|NW\rOBR|1|ORD-9||CBC\r");
    ASSERT_TRUE(orders);
    EXPECT_EQ(orders->front().number, "ORD-9");
}

TEST(Hl7Order, ACancellationIsNoNewOrder) {
    const auto orders = read("ORC|CA|A\rOBR|1|A||CBC\r");
    ASSERT_TRUE(orders);
    EXPECT_TRUE(orders->empty());
}

TEST(Hl7Order, FaultsNameTheFieldAndNoValue) {
    for (const auto* segments :
         {"", "ORC|NW\rOBR|1|||CBC\r", "ORC|NW|A\rOBR|1|A||\r", "ORC|NW|A\r"}) {
        const auto orders = read(segments);
        ASSERT_FALSE(orders) << segments;
        EXPECT_EQ(orders.error().code, Code::invalid_argument);
        EXPECT_EQ(orders.error().message.find("PAT-77"), std::string::npos);
        EXPECT_EQ(orders.error().message.find("ller"), std::string::npos);
    }
}

TEST(Hl7Order, TheCharacterSetIsDecodedAndEscapesAreUndone) {
    const std::string head =
        "MSH|^~\\&|LAB|S\xfc"
        "d|G|M|20260203||ORM^O01|M|P|2.5||||||8859/1\rPID|1||P1\r";
    const auto orders = read("ORC|NW|A\\T\\B\rOBR|1|||X\\F\\Y\r", head);
    ASSERT_TRUE(orders) << orders.error().message;
    EXPECT_EQ(orders->front().facility, "Süd");
    EXPECT_EQ(orders->front().number, "A&B");
    EXPECT_EQ(orders->front().items.front().code, "X|Y");
}

TEST(Hl7Order, BytesThatAreNoTextAreStillStorable) {
    const auto orders = read("ORC|NW|A\xff\xfe\rOBR|1|||X\r");
    ASSERT_TRUE(orders);
    EXPECT_TRUE(validate(orders->front()));
}

}  // namespace
}  // namespace gantry::orders
