#include "printer.hpp"

#include "gantry/jobs/v1/jobs.pb.h"
#include "gantry/outbox/v1/outbox.pb.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/struct.pb.h>
#include <nlohmann/json.hpp>

#include <sstream>

namespace gantry::ctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string printed(const google::protobuf::Message& message, Output output = Output::table,
                    Content content = Content::hidden) {
    std::ostringstream out;
    Printer(out, output, content).message(message);
    return out.str();
}

outbox::v1::ParkedRecord record(std::int64_t id, const std::string& topic) {
    outbox::v1::ParkedRecord made;
    made.set_id(id);
    made.set_topic(topic);
    made.mutable_park_time()->set_seconds(1'769'824'800);
    return made;
}

TEST(Printer, AlignsAMessageALineAField) {
    outbox::v1::OutboxStats stats;
    stats.set_mode(outbox::v1::POLLING);
    stats.set_leader(true);
    stats.set_published(12);
    stats.mutable_oldest_unpublished_age()->set_nanos(250'000'000);
    const auto text = printed(stats);
    EXPECT_THAT(text, HasSubstr("mode                    POLLING\n"
                                "leader                  yes\n"
                                "epoch                   0\n"
                                "published               12\n"));
    EXPECT_THAT(text, HasSubstr("oldest unpublished age  250ms\n"));
    EXPECT_THAT(text, HasSubstr("checkpoint time         -\n"));
}

TEST(Printer, AlignsAListAndWidensItsColumnsOnly) {
    std::ostringstream out;
    const Printer printer(out, Output::table, Content::hidden);
    Printer::List list(printer, "records", *outbox::v1::ParkedRecord::descriptor());
    list.add(record(7, "größe"));
    list.add(record(12, "ab"));
    list.flush();
    list.add(record(13, "a-longer-topic"));
    list.end();
    EXPECT_THAT(out.str(),
                HasSubstr("ID  TOPIC  TYPE  REASON  PARK TIME                 PAYLOAD BYTES"));
    EXPECT_THAT(out.str(), HasSubstr("\n7   größe  -     -       2026-01-31T02:00:00.000Z  0"));
    EXPECT_THAT(out.str(), HasSubstr("\n12  ab     -     -"));
    EXPECT_THAT(out.str(), HasSubstr("\n13  a-longer-topic  -     -"));
    EXPECT_THAT(out.str(), Not(HasSubstr(" \n"))) << "no line ends in blanks";
}

TEST(Printer, WritesJsonAsTheApiDoes) {
    outbox::v1::OutboxStats stats;
    stats.set_mode(outbox::v1::WAL);
    stats.set_published(9'007'199'254'740'993);
    stats.mutable_oldest_unpublished_age()->set_seconds(2);
    const auto json = nlohmann::json::parse(printed(stats, Output::json));
    EXPECT_EQ(json["mode"], "WAL");
    EXPECT_EQ(json["published"], "9007199254740993");
    EXPECT_EQ(json["leader"], false) << "what is not set is there";
    EXPECT_EQ(json["oldestUnpublishedAge"], "2s");
}

TEST(Printer, HidesContentUnlessItIsAskedFor) {
    jobs::v1::Job job;
    job.set_id("job-1");
    job.set_key("patient-7");
    job.set_payload("secret");
    for (const auto output : {Output::table, Output::json}) {
        EXPECT_THAT(printed(job, output),
                    AllOf(HasSubstr("job-1"), Not(HasSubstr("patient-7")), Not(HasSubstr("secret")),
                          Not(HasSubstr("c2VjcmV0")), Not(HasSubstr("payload"))));
    }
    EXPECT_THAT(printed(job, Output::table, Content::shown),
                AllOf(HasSubstr("patient-7"), HasSubstr("secret")));
    EXPECT_THAT(printed(job, Output::json, Content::shown),
                AllOf(HasSubstr("patient-7"), HasSubstr("c2VjcmV0")));
    jobs::v1::ListJobsResponse list;
    *list.add_jobs() = job;
    for (const auto output : {Output::table, Output::json}) {
        EXPECT_THAT(printed(list, output),
                    AllOf(HasSubstr("job-1"), Not(HasSubstr("patient-7")), Not(HasSubstr("secret")),
                          Not(HasSubstr("c2VjcmV0"))));
    }
}

TEST(Printer, ShowsBytesThatAreNoTextAsBase64) {
    jobs::v1::Job job;
    job.set_payload("\xff\x01");
    EXPECT_THAT(printed(job, Output::table, Content::shown), HasSubstr("base64:/wE=\n"));
}

TEST(Printer, KeepsTextFromOutsideOffTheTerminalsControls) {
    const auto text = printed(record(1,
                                     "a\x1b[2J\nb\xc2\x9b"
                                     "c"));
    EXPECT_THAT(text, HasSubstr("a\\x1b[2J\\x0ab\\x9bc\n"));
    const auto json = printed(record(1, "a\x1b"), Output::json);
    EXPECT_EQ(json.find('\x1b'), std::string::npos);
}

TEST(Printer, ShowsMapsListsAndNestedMessages) {
    google::protobuf::Struct value;
    (*value.mutable_fields())["colour"].set_string_value("blue");
    const auto json = nlohmann::json::parse(printed(value, Output::json));
    EXPECT_EQ(json["colour"], "blue");
    google::protobuf::DescriptorProto type;
    type.set_name("T");
    type.add_reserved_name("old");
    type.add_reserved_name("older");
    type.mutable_options()->set_deprecated(true);
    type.add_field()->set_name("first");
    const auto text = printed(type);
    EXPECT_THAT(text, HasSubstr("old, older\n"));
    EXPECT_THAT(text, ::testing::ContainsRegex("options deprecated +yes\n"));
    EXPECT_THAT(text, HasSubstr("\nfield:\nNAME "));
}

}  // namespace
}  // namespace gantry::ctl
