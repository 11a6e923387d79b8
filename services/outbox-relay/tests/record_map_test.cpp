#include "record_map.hpp"

#include "gantry/base/time.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gantry::relay {
namespace {

const Instant kAt = parse_rfc3339("2026-01-31T02:00:00.123456Z").value();
constexpr const char* kJob = "0190b7a0-1111-7222-8333-444455556666";

LedgerRow row() {
    LedgerRow row;
    row.id = 42;
    row.created = kAt;
    row.topic = "gantry.events.orders";
    row.key = "order-1";
    row.type = "orders.order_created";
    row.payload = std::string("\0\xff\x01", 3);
    row.headers = "{}";
    row.source = "/gantry/orders";
    row.content_type = "application/json";
    return row;
}

TEST(LedgerRecord, IsACloudEventWithItsPayloadUntouched) {
    auto input = row();
    input.subject = "order-1";
    input.trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const auto record = to_record(input, 7);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->topic, "gantry.events.orders");
    EXPECT_EQ(record->key, "order-1");
    EXPECT_EQ(record->value, std::string("\0\xff\x01", 3));
    const auto header = [&](const char* name) { return kafka::find_header(record->headers, name); };
    EXPECT_EQ(header("ce_specversion"), "1.0");
    EXPECT_EQ(header("ce_id"), "42");
    EXPECT_EQ(header("ce_type"), "orders.order_created");
    EXPECT_EQ(header("ce_source"), "/gantry/orders");
    EXPECT_EQ(header("ce_time"), "2026-01-31T02:00:00.123456Z");
    EXPECT_EQ(header("ce_subject"), "order-1");
    EXPECT_EQ(header("content-type"), "application/json");
    EXPECT_EQ(header("traceparent"), *input.trace);
    EXPECT_EQ(header("ce_gantryepoch"), "7");
}

TEST(LedgerRecord, KeepsNullAndEmptyApart) {
    auto input = row();
    input.key = std::nullopt;
    input.payload = std::nullopt;
    const auto null = to_record(input, 1);
    EXPECT_EQ(null->key, std::nullopt);
    EXPECT_EQ(null->value, std::nullopt);
    input.key = "";
    input.payload = "";
    const auto empty = to_record(input, 1);
    EXPECT_EQ(empty->key, "");
    EXPECT_EQ(empty->value, "");
}

TEST(LedgerRecord, CarriesOwnHeadersAndAnOwnId) {
    auto input = row();
    input.headers = R"({"ce_id": "mine", "x-tenant": "a\u00e4", "ce_gantryepoch": "999"})";
    const auto record = to_record(input, 3);
    ASSERT_TRUE(record);
    EXPECT_EQ(kafka::find_header(record->headers, "ce_id"), "mine");
    EXPECT_EQ(kafka::find_header(record->headers, "x-tenant"), "a\xc3\xa4");
    EXPECT_EQ(kafka::find_header(record->headers, "ce_gantryepoch"), "3");
}

TEST(LedgerRecord, RefusesHeadersThatAreNoStrings) {
    for (const auto* headers : {"[]", "{", R"({"a": 1})", R"({"a": {"b": "c"}})", "null"}) {
        auto input = row();
        input.headers = headers;
        EXPECT_FALSE(to_record(input, 1)) << headers;
    }
}

TEST(WakeupRecord, NamesTheQueuesTopicAndDropsTheQueue) {
    const auto wakeup = parse_wakeup(std::string(R"({"queue":"default","id":")") + kJob +
                                     R"(","dispatch":2,"key":"k","xid":"771"})");
    ASSERT_TRUE(wakeup);
    const auto record = to_record(*wakeup, kAt, "acme", 5);
    EXPECT_EQ(record.topic, "acme.jobs.default");
    EXPECT_EQ(record.key, "k");
    EXPECT_EQ(kafka::find_header(record.headers, "ce_id"), std::string(kJob) + "/2");
    EXPECT_EQ(kafka::find_header(record.headers, "ce_type"), "io.gantry.job.wakeup");
    EXPECT_EQ(kafka::find_header(record.headers, "ce_source"), "/gantry/jobs");
    const auto value = nlohmann::json::parse(*record.value);
    EXPECT_EQ(value, (nlohmann::json{{"id", kJob}, {"dispatch", 2}, {"key", "k"}, {"xid", "771"}}));
}

TEST(WakeupRecord, UsesTheIdWhereAJobHasNoKey) {
    const Wakeup wakeup{"q", kJob, 1, std::nullopt, "9"};
    const auto record = to_record(wakeup, kAt, "gantry", 1);
    EXPECT_EQ(record.key, kJob);
    EXPECT_FALSE(nlohmann::json::parse(*record.value).contains("key"));
}

TEST(Wakeup, TrustsNothing) {
    const std::string id = kJob;
    for (const auto& text : {
             std::string(""),
             std::string("[]"),
             std::string("{}"),
             std::string("\xff\xfe"),
             R"({"queue":"../x","id":")" + id + R"(","dispatch":1,"xid":"1"})",
             R"({"queue":"","id":")" + id + R"(","dispatch":1,"xid":"1"})",
             std::string(R"({"queue":"q","id":"nope","dispatch":1,"xid":"1"})"),
             R"({"queue":"q","id":")" + id + R"(","dispatch":"1","xid":"1"})",
             R"({"queue":"q","id":")" + id + R"(","dispatch":1,"xid":"x"})",
             R"({"queue":"q","id":")" + id + R"(","dispatch":1})",
             std::string(9000, ' '),
         }) {
        EXPECT_FALSE(parse_wakeup(text)) << text;
    }
}

TEST(PostgresText, ReadsTimesAndBytes) {
    EXPECT_EQ(parse_timestamptz("2026-01-31 02:00:00.123456+00").value(), kAt);
    EXPECT_EQ(parse_timestamptz("2026-01-31 07:30:00.123456+05:30").value(), kAt);
    EXPECT_FALSE(parse_timestamptz("infinity"));
    EXPECT_EQ(parse_bytea("\\x00ff").value(), std::string("\0\xff", 2));
    EXPECT_EQ(parse_bytea("\\x").value(), "");
    EXPECT_FALSE(parse_bytea("00ff"));
    EXPECT_FALSE(parse_bytea("\\x0"));
}

}  // namespace
}  // namespace gantry::relay
