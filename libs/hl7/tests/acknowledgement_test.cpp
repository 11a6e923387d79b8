#include "gantry/hl7/acknowledgement.hpp"

#include <gtest/gtest.h>

namespace gantry::hl7 {
namespace {

const AckIdentity kOwn{.control_id = "OWN1", .time = Instant{std::chrono::seconds{1'769'824'800}}};

std::string header_text(std::string_view version, std::string_view tail = "") {
    return "MSH|^~\\&|HIS|NORTH|LAB|EAST|20260131||ORM^O01|Ctl 7\xFC|P|" + std::string(version) +
           std::string(tail) + "\rPID|1\r";
}

Header header_of(const std::string& bytes) {
    auto message = Message::parse(bytes);
    EXPECT_TRUE(message.has_value());
    return Header::of(*message);
}

Fault fault(ErrorCode code, unsigned field) {
    return {code, "MSH", field, 0, "a | b", false};
}

std::string code_of(std::string_view accept, std::string_view application,
                    const std::vector<Fault>& faults) {
    const auto bytes =
        header_text("2.5", "|||" + std::string(accept) + "|" + std::string(application));
    const auto code = ack_code(header_of(bytes), faults);
    return code ? std::string(to_string(*code)) : "-";
}

TEST(Acknowledgement, AcceptsInOriginalMode) {
    const auto bytes = header_text("2.5.1");
    EXPECT_EQ(build_ack(header_of(bytes), AckCode::aa, {}, kOwn),
              "MSH|^~\\&|LAB|EAST|HIS|NORTH|20260131020000.000+0000||ACK^O01^ACK|OWN1|P|2.5.1\r"
              "MSA|AA|Ctl 7\xFC\r");
}

TEST(Acknowledgement, LeavesTheStructureOutBefore25) {
    const auto bytes = header_text("2.3");
    const auto ack = build_ack(header_of(bytes), AckCode::aa, {}, kOwn);
    EXPECT_NE(ack.find("||ACK^O01|OWN1|P|2.3\r"), std::string::npos);
}

TEST(Acknowledgement, UsesTheSendersDelimitersAndCharacterSet) {
    const std::string bytes = "MSH$*!%@$HIS$NORTH$LAB$EAST$1$$ADT*A01$7$T$2.5$$$$$$8859/1\r";
    EXPECT_EQ(
        build_ack(header_of(bytes), AckCode::ae, {fault(ErrorCode::data_type, 10)}, kOwn),
        "MSH$*!%@$LAB$EAST$HIS$NORTH$20260131020000.000+0000$$ACK*A01*ACK$OWN1$T$2.5$$$$$$8859/1\r"
        "MSA$AE$7\r"
        "ERR$$MSH*1*10$102*Data type error*HL70357$E$$$$a | b\r");
}

TEST(Acknowledgement, NamesEachFaultInItsOwnErrFrom25) {
    const auto bytes = header_text("2.5");
    const auto ack = build_ack(header_of(bytes), AckCode::ar,
                               {fault(ErrorCode::unsupported_version, 12),
                                fault(ErrorCode::unsupported_processing_id, 11)},
                               kOwn);
    EXPECT_NE(ack.find("ERR||MSH^1^12|203^Unsupported version id^HL70357|E||||a \\F\\ b\r"
                       "ERR||MSH^1^11|202^Unsupported processing id^HL70357|E||||a \\F\\ b\r"),
              std::string::npos)
        << ack;
}

TEST(Acknowledgement, NamesFaultsInErr1Before25) {
    const auto bytes = header_text("2.4");
    const auto ack =
        build_ack(header_of(bytes), AckCode::ar,
                  {fault(ErrorCode::unsupported_event, 9), fault(ErrorCode::data_type, 10)}, kOwn);
    EXPECT_NE(ack.find("MSA|AR|Ctl 7\xFC|a \\F\\ b\r"
                       "ERR|MSH^1^9^201&Unsupported event code&HL70357~MSH^1^10^102&Data type "
                       "error&HL70357\r"),
              std::string::npos)
        << ack;
}

TEST(Acknowledgement, AnswersAnUnreadableHeaderWithDefaultDelimiters) {
    EXPECT_EQ(build_unreadable_ack("no header", kOwn),
              "MSH|^~\\&|||||20260131020000.000+0000||ACK|OWN1|P|2.5\r"
              "MSA|AR\r"
              "ERR||MSH^1|100^Segment sequence error^HL70357|E||||no header\r");
}

TEST(AckCode, FollowsTheModeAndItsConditions) {
    const std::vector<Fault> rejects{fault(ErrorCode::unsupported_version, 12)};
    const std::vector<Fault> errs{fault(ErrorCode::data_type, 10)};
    struct Row {
        const char *accept, *application, *success, *error, *reject;
    };
    const Row rows[] = {
        {"", "", "AA", "AE", "AR"},         {"AL", "", "CA", "CE", "CR"},
        {"AL", "NE", "CA", "CE", "CR"},     {"AL", "AL", "CA", "CE", "CR"},
        {"ER", "NE", "-", "CE", "CR"},      {"SU", "NE", "CA", "-", "-"},
        {"NE", "NE", "-", "-", "-"},        {"NE", "", "-", "-", "-"},
        {"", "NE", "CA", "CE", "CR"},       {"", "AL", "AA", "AE", "AR"},
        {"NE", "AL", "AA", "AE", "AR"},     {"NE", "ER", "-", "AE", "AR"},
        {"NE", "SU", "AA", "-", "-"},       {"??", "NE", "CA", "CE", "CR"},
        {"\"\"", "\"\"", "AA", "AE", "AR"},
    };
    for (const auto& row : rows) {
        EXPECT_EQ(code_of(row.accept, row.application, {}), row.success)
            << row.accept << '/' << row.application;
        EXPECT_EQ(code_of(row.accept, row.application, errs), row.error)
            << row.accept << '/' << row.application;
        EXPECT_EQ(code_of(row.accept, row.application, rejects), row.reject)
            << row.accept << '/' << row.application;
    }
}

TEST(ControlId, IsUniqueAndShort) {
    const auto now = std::chrono::system_clock::now();
    EXPECT_EQ(make_control_id(now).size(), 20U);
    EXPECT_NE(make_control_id(now), make_control_id(now));
}

}  // namespace
}  // namespace gantry::hl7
