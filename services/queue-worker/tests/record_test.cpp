#include "record.hpp"

#include <gtest/gtest.h>

namespace gantry::worker {
namespace {

kafka::Message message() {
    kafka::Message record;
    record.topic = "gantry.jobs.default";
    record.partition = 2;
    record.offset = 41;
    return record;
}

kafka::Message wakeup(std::string value) {
    auto record = message();
    record.headers = {{"ce_type", std::string(kWakeupType)}};
    record.value = std::move(value);
    return record;
}

kafka::Message event() {
    auto record = message();
    record.key = "room-7";
    record.headers = {{"ce_specversion", "1.0"},
                      {"ce_id", "e1"},
                      {"ce_source", "/lab"},
                      {"ce_type", "gantry.echo"},
                      {"content-type", "text/plain"}};
    record.value = "hello";
    return record;
}

kafka::Message structured(std::string value) {
    auto record = message();
    record.headers = {{"content-type", "application/cloudevents+json; charset=utf-8"}};
    record.value = std::move(value);
    return record;
}

void set(kafka::Message& record, const std::string& name, std::optional<std::string> value) {
    for (auto& header : record.headers) {
        if (header.name == name) {
            header.value = std::move(value);
            return;
        }
    }
    record.headers.push_back({name, std::move(value)});
}

jobs::ExternalEvent event_of(const kafka::Message& record) {
    auto reading = read_record(record, "default");
    auto* read = std::get_if<jobs::ExternalEvent>(&reading);
    EXPECT_NE(read, nullptr);
    if (const auto* broken = std::get_if<jobs::BrokenRecord>(&reading)) {
        ADD_FAILURE() << broken->reason << ": " << broken->detail;
    }
    return read ? *read : jobs::ExternalEvent{};
}

jobs::BrokenRecord broken_of(const kafka::Message& record) {
    auto reading = read_record(record, "default");
    auto* broken = std::get_if<jobs::BrokenRecord>(&reading);
    EXPECT_NE(broken, nullptr);
    return broken ? *broken : jobs::BrokenRecord{};
}

TEST(Record, AWakeUpIsRead) {
    const auto id = Uuid::v7();
    const auto reading = read_record(
        wakeup(R"({"id":")" + id.to_string() + R"(","dispatch":3,"key":"k","xid":"744"})"),
        "default");
    const auto* read = std::get_if<jobs::Wakeup>(&reading);
    ASSERT_NE(read, nullptr);
    EXPECT_EQ(read->id, id);
    EXPECT_EQ(read->dispatch, 3);
    EXPECT_EQ(read->xid, "744");
}

TEST(Record, AWakeUpThatSaysNothingIsBroken) {
    for (const auto* value : {"", "{", "[]", "{}", R"({"id":"x","dispatch":1})",
                              R"({"id":"0196f3c0-0000-7000-8000-000000000000"})",
                              R"({"id":"0196f3c0-0000-7000-8000-000000000000","dispatch":"1"})",
                              R"({"id":"0196f3c0-0000-7000-8000-000000000000","dispatch":1.5})"}) {
        EXPECT_FALSE(broken_of(wakeup(value)).reason.empty()) << value;
    }
    auto tombstone = wakeup("");
    tombstone.value.reset();
    EXPECT_FALSE(broken_of(tombstone).reason.empty());
}

TEST(Record, ABinaryEventBecomesAJob) {
    const auto read = event_of(event());
    EXPECT_EQ(read.id, "e1");
    EXPECT_EQ(read.source, "/lab");
    EXPECT_EQ(read.place.topic, "gantry.jobs.default");
    EXPECT_EQ(read.place.partition, 2);
    EXPECT_EQ(read.place.offset, 41);
    EXPECT_EQ(read.job.queue, "default");
    EXPECT_EQ(read.job.type, "gantry.echo");
    EXPECT_EQ(read.job.payload, "hello");
    EXPECT_EQ(read.job.content_type, "text/plain");
    EXPECT_EQ(read.job.key, "room-7");
    EXPECT_EQ(read.job.source, "kafka");
}

TEST(Record, HeaderNamesAreReadInAnyCaseAndTheLastOneCounts) {
    auto record = event();
    record.headers.push_back({"CE_ID", "e2"});
    EXPECT_EQ(event_of(record).id, "e2");
}

TEST(Record, ATombstoneIsAnEventWithoutData) {
    auto record = event();
    record.value.reset();
    EXPECT_EQ(event_of(record).job.payload, "");
}

TEST(Record, BinaryDataStaysAsItIs) {
    auto record = event();
    record.value = std::string("\0\xff\x01", 3);
    EXPECT_EQ(event_of(record).job.payload, std::string("\0\xff\x01", 3));
}

TEST(Record, AKeyThatCannotBeStoredIsLeftOut) {
    auto record = event();
    record.key = std::string("\0\xff", 2);
    EXPECT_EQ(event_of(record).job.key, "");
    record.key = std::string(256, 'k');
    EXPECT_EQ(event_of(record).job.key, "");
}

TEST(Record, EachAttributeAtFaultIsNamedWithoutItsValue) {
    const std::string secret = "Müller^Anna";
    for (const auto& [name, value] :
         std::vector<std::pair<std::string, std::optional<std::string>>>{
             {"ce_specversion", std::nullopt},
             {"ce_specversion", "0.3"},
             {"ce_id", std::nullopt},
             {"ce_id", ""},
             {"ce_id", std::string("a\0b", 3)},
             {"ce_id", std::string(256, 'x')},
             {"ce_id", "\xff"},
             {"ce_source", std::nullopt},
             {"ce_source", ""},
             {"ce_type", std::nullopt},
             {"ce_type", secret},
             {"ce_type", "1st"},
             {"ce_type", std::string(201, 't')}}) {
        auto record = event();
        set(record, name, value);
        const auto broken = broken_of(record);
        EXPECT_EQ(broken.reason, "bad_attributes") << name;
        EXPECT_NE(broken.detail.find(name.substr(3)), std::string::npos) << broken.detail;
        EXPECT_EQ(broken.detail.find(secret), std::string::npos);
        EXPECT_EQ(broken.value, "hello") << "the bytes are kept";
        EXPECT_EQ(broken.place.offset, 41);
    }
}

TEST(Record, ARecordWithoutHeadersIsBroken) {
    auto record = message();
    record.value = "hello";
    EXPECT_EQ(broken_of(record).reason, "bad_attributes");
}

TEST(Record, ADataThatIsTooLargeIsBroken) {
    auto record = event();
    record.value = std::string(jobs::kMaxPayload + 1, 'x');
    EXPECT_EQ(broken_of(record).reason, "bad_event");
}

TEST(Record, AStructuredEventBecomesAJob) {
    const auto read = event_of(structured(
        R"({"specversion":"1.0","id":"s1","source":"/lab","type":"gantry.echo","data":{"a":1}})"));
    EXPECT_EQ(read.id, "s1");
    EXPECT_EQ(read.job.payload, R"({"a":1})");
    EXPECT_EQ(read.job.content_type, "application/json");
}

TEST(Record, AStructuredEventMayHoldBase64OrText) {
    const std::string head =
        R"({"specversion":"1.0","id":"s1","source":"/lab","type":"gantry.echo",)";
    EXPECT_EQ(event_of(structured(head + R"("data_base64":"aGVsbG8="})")).job.payload, "hello");
    const auto text =
        event_of(structured(head + R"("datacontenttype":"text/plain","data":"hello"})"));
    EXPECT_EQ(text.job.payload, "hello");
    EXPECT_EQ(text.job.content_type, "text/plain");
    EXPECT_EQ(event_of(structured(head + R"("data":"hello"})")).job.payload, R"("hello")")
        << "a JSON string is JSON";
}

TEST(Record, AStructuredEventThatIsNoneIsBroken) {
    const std::string head =
        R"({"specversion":"1.0","id":"s1","source":"/lab","type":"gantry.echo",)";
    for (const auto& value :
         {std::string("{"), std::string("[]"), std::string("\xff\xfe"),
          std::string(R"({"specversion":"1.0"})"),
          std::string(R"({"specversion":1.0,"id":"s","source":"/l","type":"gantry.echo"})"),
          head + R"("data_base64":"%%%"})"}) {
        EXPECT_FALSE(broken_of(structured(value)).reason.empty()) << value;
    }
}

TEST(Record, DeeplyNestedJsonIsNoDanger) {
    EXPECT_FALSE(broken_of(structured(std::string(200'000, '['))).reason.empty());
}

TEST(Record, ATraceIsTakenAndABrokenOneIsDropped) {
    auto record = event();
    const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    set(record, "traceparent", trace);
    EXPECT_EQ(event_of(record).job.traceparent, trace);
    set(record, "traceparent", std::string("\0\xff", 2));
    EXPECT_EQ(event_of(record).job.traceparent, "");
}

}  // namespace
}  // namespace gantry::worker
