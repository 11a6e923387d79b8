#include "gantry/orders/order.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

namespace gantry::orders {
namespace {

NewOrder good() {
    NewOrder order;
    order.number = "A-1";
    order.facility = "NORTH";
    order.patient_ref = "PAT-77";
    order.items = {{"CBC", 1}};
    return order;
}

TEST(NewOrder, AGoodOnePasses) {
    auto order = good();
    EXPECT_TRUE(validate(order));
    order.patient_ref.clear();
    order.number = std::string(100, 'n');
    order.facility = "Klinik Süd – Haus 3";
    order.items.assign(200, {"X", 1'000'000});
    EXPECT_TRUE(validate(order));
}

TEST(NewOrder, EachFieldAtFaultIsNamedWithoutItsValue) {
    const std::vector<std::pair<std::string, std::function<void(NewOrder&)>>> faults{
        {"number", [](NewOrder& order) { order.number.clear(); }},
        {"number", [](NewOrder& order) { order.number = std::string(101, 'n'); }},
        {"facility", [](NewOrder& order) { order.facility = "\xff"; }},
        {"facility", [](NewOrder& order) { order.facility.clear(); }},
        {"patient_ref", [](NewOrder& order) { order.patient_ref = std::string("a\0b", 3); }},
        {"patient_ref",
         [](NewOrder& order) { order.patient_ref = "PAT-77" + std::string(100, 'x'); }},
        {"items", [](NewOrder& order) { order.items.clear(); }},
        {"items", [](NewOrder& order) { order.items.assign(201, {"X", 1}); }},
        {"items[0].code", [](NewOrder& order) { order.items[0].code.clear(); }},
        {"items[0].quantity", [](NewOrder& order) { order.items[0].quantity = 0; }},
        {"items[1].quantity", [](NewOrder& order) { order.items.push_back({"X", 1'000'001}); }},
    };
    for (const auto& [field, spoil] : faults) {
        auto order = good();
        spoil(order);
        const auto valid = validate(order);
        ASSERT_FALSE(valid) << field;
        EXPECT_EQ(valid.error().code, Code::invalid_argument);
        ASSERT_EQ(valid.error().fields.size(), 1U) << field;
        EXPECT_EQ(valid.error().fields.front().field, field);
        EXPECT_EQ(valid.error().message.find("PAT-77"), std::string::npos);
    }
}

TEST(Items, AreReadBackAsTheyWere) {
    const std::vector<Item> items{{"CBC", 1}, {"Größe \"L\"", 7}};
    EXPECT_EQ(parse_items(items_json(items)), items);
    EXPECT_TRUE(parse_items("[]").empty());
    EXPECT_TRUE(parse_items("{").empty());
}

TEST(Items, WhatIsNoItemIsNoDanger) {
    EXPECT_EQ(parse_items(R"([1,"x",null,{"code":3},{"code":"A","quantity":"2"},{"code":"B"}])"),
              (std::vector<Item>{{"B", 1}}));
}

TEST(Order, AnEventNamesNoPatient) {
    Order order;
    order.id = Uuid::v7();
    order.number = "A-1";
    order.patient_ref = "PAT-77";
    order.items = {{"CBC", 2}};
    const auto event = nlohmann::json::parse(event_json(order));
    EXPECT_EQ(event["id"], order.id.to_string());
    EXPECT_EQ(event["status"], "PENDING");
    EXPECT_EQ(event["source"], "API");
    EXPECT_EQ(event["items"][0]["quantity"], 2);
    EXPECT_FALSE(event.contains("processedAt"));
    EXPECT_EQ(event_json(order).find("PAT-77"), std::string::npos);
    EXPECT_EQ(nlohmann::json::parse(sync_json(order))["patientRef"], "PAT-77");
}

TEST(Status, NamesAreReadBack) {
    for (const auto status :
         {Status::pending, Status::processing, Status::processed, Status::failed}) {
        EXPECT_EQ(parse_status(to_string(status)), status);
    }
    EXPECT_EQ(parse_status("PENDING"), std::nullopt);
}

}  // namespace
}  // namespace gantry::orders
