#include "gantry/hl7/header.hpp"

#include <gtest/gtest.h>

namespace gantry::hl7 {
namespace {

Header header_of(std::string_view bytes) {
    auto message = Message::parse(bytes);
    EXPECT_TRUE(message.has_value());
    return Header::of(*message);
}

std::string faults_of(std::string_view bytes, const HeaderRules& rules = {}) {
    std::string text;
    for (const auto& fault : check_header(header_of(bytes), rules)) {
        text +=
            std::to_string(static_cast<int>(fault.code)) + "@" + std::to_string(fault.field) + " ";
    }
    return text;
}

TEST(Header, ReadsItsFields) {
    const auto header = header_of(
        "MSH|^~\\&|HIS|NORTH|LAB|EAST|20260131||ORM^O01^ORM_O01|C1|P^A|2.5.1^USA|||AL|NE||8859/"
        "1~X\rPID|1");
    EXPECT_EQ(header.encoding_characters, "^~\\&");
    EXPECT_EQ(header.sending_application, "HIS");
    EXPECT_EQ(header.sending_facility, "NORTH");
    EXPECT_EQ(header.receiving_application, "LAB");
    EXPECT_EQ(header.receiving_facility, "EAST");
    EXPECT_EQ(header.message_type, "ORM^O01^ORM_O01");
    EXPECT_EQ(header.message_code, "ORM");
    EXPECT_EQ(header.trigger_event, "O01");
    EXPECT_EQ(header.control_id, "C1");
    EXPECT_EQ(header.version, "2.5.1");
    EXPECT_EQ(header.accept_acknowledgement, "AL");
    EXPECT_EQ(header.application_acknowledgement, "NE");
    EXPECT_EQ(header.character_set, "8859/1~X");
}

TEST(Header, ComparesVersions) {
    const auto header = header_of("MSH|^~\\&|||||||ADT|1|P|2.3.1");
    EXPECT_TRUE(header.version_at_least(2, 3));
    EXPECT_FALSE(header.version_at_least(2, 5));
    EXPECT_FALSE(header_of("MSH|^~\\&|||||||ADT|1|P|2.x").version_at_least(2, 0));
}

TEST(CheckHeader, AcceptsAGoodOne) {
    EXPECT_EQ(faults_of("MSH|^~\\&|||||||ADT^A01|1|P|2.3"), "");
    EXPECT_EQ(faults_of("MSH|^~\\&|||||||ADT|1|T^A|2.5.1^DEU"), "");
}

TEST(CheckHeader, NamesEveryFault) {
    EXPECT_EQ(faults_of("MSH|^~\\&|A"), "101@9 101@10 101@11 101@12 ");
    EXPECT_EQ(faults_of("MSH|^~\\&|||||||\"\"|\"\"|X|3.0"), "101@9 101@10 202@11 203@12 ");
    EXPECT_EQ(faults_of("MSH|^~\\&|||||||A/B^A01|1|P|2.5"), "200@9 ");
    EXPECT_EQ(faults_of("MSH|^~\\&|||||||ADT^A 1|1|P|2.5"), "201@9 ");
    EXPECT_EQ(faults_of("MSH|^~\\&|||||||ADT|" + std::string(200, '1') + "|P|2.5"), "102@10 ");
    EXPECT_EQ(faults_of("MSH|^~\\&|||||||ADT|1|P|2"), "203@12 ");
}

TEST(CheckHeader, HoldsTheListenersListOfTypes) {
    const HeaderRules rules{.message_types = {"ORM^O01", "ADT"}};
    EXPECT_EQ(faults_of("MSH|^~\\&|||||||ORM^O01|1|P|2.5", rules), "");
    EXPECT_EQ(faults_of("MSH|^~\\&|||||||ADT^A99|1|P|2.5", rules), "");
    EXPECT_EQ(faults_of("MSH|^~\\&|||||||ORM^O02|1|P|2.5", rules), "201@9 ");
    EXPECT_EQ(faults_of("MSH|^~\\&|||||||ORU^R01|1|P|2.5", rules), "200@9 ");
}

}  // namespace
}  // namespace gantry::hl7
