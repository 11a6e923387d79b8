#include "gantry/hl7/message.hpp"

#include <gtest/gtest.h>

namespace gantry::hl7 {
namespace {

constexpr std::string_view kOrder =
    "MSH|^~\\&|HIS|NORTH^2.16^ISO|LAB|EAST|20260131||ORM^O01^ORM_O01|C1|P|2.5\r"
    "PID|1||4711^^^NORTH^MR~0815^^^EAST&1.2.3&ISO^PI||Doe^Jane^\"\"|\"\"\r"
    "ORC|NW|ORD-1\r"
    "OBR|1|||GLU\r"
    "ZXY|own\r"
    "OBR|2|||NA^Sodium\r";

Message must_parse(std::string_view bytes) {
    auto message = Message::parse(bytes);
    EXPECT_TRUE(message.has_value());
    return *message;
}

std::string reason(std::string_view bytes) {
    const auto message = Message::parse(bytes);
    return message ? "parsed" : message.error().reason;
}

TEST(Message, FindsFieldsRepetitionsComponentsAndSubcomponents) {
    const auto message = must_parse(kOrder);
    EXPECT_EQ(message.get("PID-3[1].4").raw, "NORTH");
    EXPECT_EQ(message.get("PID-3[2].1").raw, "0815");
    EXPECT_EQ(message.get("PID-3.1").raw, "4711");
    EXPECT_EQ(message.get("PID-3[2].4.2").raw, "1.2.3");
    EXPECT_EQ(message.get("PID-3[2]").raw, "0815^^^EAST&1.2.3&ISO^PI");
    EXPECT_EQ(message.get("PID-3").raw, "4711^^^NORTH^MR~0815^^^EAST&1.2.3&ISO^PI");
    EXPECT_EQ(message.get("OBR[2]-4.2").raw, "Sodium");
    EXPECT_EQ(message.get("OBR-4.1.1").raw, "GLU");
    EXPECT_EQ(message.get("ZXY-1").raw, "own");
    EXPECT_EQ(message.get("MSH-9.2").raw, "O01");
}

TEST(Message, CountsMshFromItsSeparator) {
    const auto message = must_parse(kOrder);
    EXPECT_EQ(message.get("MSH-1").raw, "|");
    EXPECT_EQ(message.get("MSH-2").raw, "^~\\&");
    EXPECT_EQ(message.get("MSH-3").raw, "HIS");
    EXPECT_EQ(message.get("MSH-4.1").raw, "NORTH");
    EXPECT_EQ(message.get("MSH-10").raw, "C1");
}

TEST(Message, TellsNullFromAbsent) {
    const auto message = must_parse(kOrder);
    EXPECT_EQ(message.get("PID-5.3").kind, Value::Kind::null);
    EXPECT_EQ(message.get("PID-6").kind, Value::Kind::null);
    EXPECT_EQ(message.get("PID-6").text(), "");
    EXPECT_EQ(message.get("PID-2").kind, Value::Kind::absent);
    EXPECT_EQ(message.get("PID-40").kind, Value::Kind::absent);
    EXPECT_EQ(message.get("PID-3[3]").kind, Value::Kind::absent);
    EXPECT_EQ(message.get("OBX-1").kind, Value::Kind::absent);
    EXPECT_EQ(message.get("OBR[3]-1").kind, Value::Kind::absent);
}

TEST(Message, TakesItsDelimitersFromTheHeader) {
    const auto message = must_parse("MSH$*!%@#$A*B$N\rPID$1$$7@8*9!0\r");
    EXPECT_EQ(message.delimiters(), (Delimiters{'$', '*', '!', '%', '@', '#'}));
    EXPECT_EQ(message.get("MSH-3.2").raw, "B");
    EXPECT_EQ(message.get("PID-3.1.2").raw, "8");
    EXPECT_EQ(message.get("PID-3[2]").raw, "0");
}

TEST(Message, ToleratesFewerEncodingCharacters) {
    const auto message = must_parse("MSH|^~|A^B|N~M\r");
    EXPECT_EQ(message.delimiters().escape, '\0');
    EXPECT_EQ(message.get("MSH-3.2").raw, "B");
    EXPECT_EQ(message.text("MSH-4"), "N~M");
}

TEST(Message, DividesSegmentsByCrLfOrBoth) {
    for (const std::string end : {"\r", "\n", "\r\n", "\r\r"}) {
        const std::string bytes = "MSH|^~\\&|A" + end + "PID|1" + end + "OBR|2" + end;
        const auto message = must_parse(bytes);
        std::string names;
        for (const Segment segment : message.segments()) {
            names += std::string(segment.name()) + " ";
        }
        EXPECT_EQ(names, "MSH PID OBR ");
        EXPECT_EQ(message.get("OBR-1").raw, "2");
        EXPECT_EQ(message.get("MSH-3").raw, "A");
    }
}

TEST(Message, MatchesWholeSegmentNames) {
    const auto message = must_parse("MSH|^~\\&|A\rPIDX|9\rPID\r\rPID|1");
    EXPECT_EQ(message.get("PID-1").kind, Value::Kind::absent);
    EXPECT_EQ(message.get("PID[2]-1").raw, "1");
}

TEST(Message, RefusesWhatDoesNotBeginWithAUsableHeader) {
    EXPECT_EQ(reason(""), "NO_MSH");
    EXPECT_EQ(reason("MSA|AA|1\rMSH|^~\\&|A"), "NO_MSH");
    EXPECT_EQ(reason("MS"), "NO_MSH");
    EXPECT_EQ(reason("MSH"), "MSH_TOO_SHORT");
    EXPECT_EQ(reason("MSH|^~\\"), "MSH_TOO_SHORT");
    EXPECT_EQ(reason("MSH|^\rPID|1|2|3|4|5"), "MSH_TOO_SHORT");
    EXPECT_EQ(reason("MSH||||||||||"), "MSH_DELIMITERS");
    EXPECT_EQ(reason("MSH|^~\\&^|A"), "MSH_DELIMITERS");
    EXPECT_EQ(reason("MSH|^~\\&#!|A"), "MSH_DELIMITERS");
    EXPECT_EQ(reason("MSHA^~\\&AXXX"), "MSH_DELIMITERS");
    EXPECT_EQ(reason(std::string_view("MSH\0\0\0\0\0\0\0\0", 11)), "MSH_DELIMITERS");
    EXPECT_EQ(reason("MSH|^~\\&|A\x1C|B"), "MSH_CONTROL_CHARACTERS");
    EXPECT_EQ(reason("MSH|^~\\&"), "parsed");
}

TEST(Message, NeverRepeatsPayloadInAnError) {
    const auto message = Message::parse("MSH|SECRETSECRET|Doe");
    ASSERT_FALSE(message.has_value());
    EXPECT_EQ(message.error().message.find("SECRET"), std::string::npos);
}

TEST(Message, ABodyThatHoldsMsaIsAMessage) {
    const auto message = must_parse("MSH|^~\\&|A|B|C|D|1||ORU^R01|7|P|2.5\rMSA|AA|6\rPID|1\r");
    EXPECT_EQ(message.get("MSA-2").raw, "6");
}

TEST(Path, ReadsEveryPart) {
    const auto path = Path::parse("OBX[12]-5[3].4.2");
    ASSERT_TRUE(path.has_value());
    EXPECT_EQ(path->segment(), "OBX");
    EXPECT_EQ(path->occurrence(), 12U);
    EXPECT_EQ(path->field(), 5U);
    EXPECT_EQ(path->repetition(), 3U);
    EXPECT_EQ(path->component(), 4U);
    EXPECT_EQ(path->subcomponent(), 2U);
}

TEST(Path, RefusesWhatIsNoPath) {
    for (const auto* text :
         {"", "PID", "PID-", "PID-0", "pid-3", "PID-3[", "PID-3[0]", "PID-3[1", "PID-3.",
          "PID-3.1.", "PID-3.1.2.3", "PID-3 ", "PID3-1", "PID[x]-1", "1ID-3", "PID-99999"}) {
        EXPECT_FALSE(Path::parse(text).has_value()) << text;
    }
}

}  // namespace
}  // namespace gantry::hl7
