#include "intake.hpp"

#include <gtest/gtest.h>

namespace gantry::mllp {
namespace {

class IntakeTest : public testing::Test {
protected:
    Decision read(std::string bytes) {
        hl7::FrameEvent event;
        event.size = bytes.size();
        event.bytes = std::move(bytes);
        return intake.read(std::move(event), "192.0.2.1:1");
    }

    Options options;
    FakeClock clock;
    Intake intake{options, "gantry", clock};
};

TEST_F(IntakeTest, RoutesAnOrderToItsTopicAndAJob) {
    const auto decision = read("MSH|^~\\&|HIS|NORTH^1^ISO|L|E|1||ORM^O01|C1|P|2.5\rPID|1\r");
    ASSERT_TRUE(decision.message.has_value());
    const auto& message = *decision.message;
    EXPECT_EQ(message.topic, "gantry.hl7.orm");
    EXPECT_EQ(message.event_type, "hl7.orm_o01");
    EXPECT_EQ(message.event_key, "NORTH|HIS");
    EXPECT_EQ(message.facility, "NORTH");
    EXPECT_EQ(message.sender, "HIS|NORTH^1^ISO");
    EXPECT_TRUE(message.makes_order);
    EXPECT_EQ(message.ack_code, "AA");
    EXPECT_NE(message.ack.find("MSA|AA|C1\r"), std::string::npos);
    // Nothing is answered before the commit.
    EXPECT_EQ(decision.answer.kind, Answer::Kind::none);
}

TEST_F(IntakeTest, SendsOtherCodesToTheCommonTopic) {
    const auto decision = read("MSH|^~\\&|A|B|||1||ZZZ^Z01|1|P|2.5\r");
    ASSERT_TRUE(decision.message.has_value());
    EXPECT_EQ(decision.message->topic, "gantry.hl7.other");
    EXPECT_FALSE(decision.message->makes_order);
    EXPECT_EQ(intake.code_label("ZZZ"), "other");
    EXPECT_EQ(intake.code_label("ORM"), "ORM");
}

TEST_F(IntakeTest, RejectsAndQuarantinesWhatItCannotRead) {
    for (const auto* bytes : {"", "MSA|AA|1", "MSH", "MSH|^~\\", "hello"}) {
        const auto decision = read(bytes);
        EXPECT_FALSE(decision.message.has_value());
        ASSERT_TRUE(decision.quarantine.has_value());
        EXPECT_EQ(decision.answer_code, "AR");
        EXPECT_NE(decision.answer.bytes.find("MSA|AR\r"), std::string::npos);
    }
}

TEST_F(IntakeTest, RejectsAHeaderThatIsTooLongWithoutRepeatingIt) {
    const std::string name(10'000, 'x');
    const auto decision = read("MSH|^~\\&|" + name + "|B|||1||ADT^A01|1|P|2.5\rPID|1\r");
    EXPECT_FALSE(decision.message.has_value());
    EXPECT_EQ(decision.quarantine->reason, "msh_too_long");
    EXPECT_EQ(decision.answer_code, "AR");
    EXPECT_LT(decision.answer.bytes.size(), 1000U);
    // The body may be long.
    EXPECT_TRUE(read("MSH|^~\\&|A|B|||1||ADT^A01|1|P|2.5\rPID|" + name).message.has_value());
}

TEST_F(IntakeTest, NamesTheFaultOfAnUnacceptableHeader) {
    const auto decision = read("MSH|^~\\&|A|B|||1||ADT^A01|1|P|9.9\r");
    EXPECT_FALSE(decision.message.has_value());
    EXPECT_EQ(decision.answer_code, "AR");
    EXPECT_NE(decision.answer.bytes.find("203^Unsupported version id"), std::string::npos)
        << decision.answer.bytes;
}

TEST_F(IntakeTest, AnswersAMalformedFrameOnlyWhereItsEndWasSeen) {
    hl7::FrameEvent event;
    event.kind = hl7::FrameEvent::Kind::malformed;
    event.bytes = "MSH|^~\\&|A|B|||1||ADT^A01|7|P|2.5\r";
    event.fault = hl7::FrameFault::cut;
    EXPECT_EQ(intake.read(event, "p").answer.kind, Answer::Kind::none);
    event.fault = hl7::FrameFault::embedded_end;
    event.answerable = true;
    const auto decision = intake.read(event, "p");
    EXPECT_EQ(decision.answer_code, "AR");
    EXPECT_NE(decision.answer.bytes.find("MSA|AR|7\r"), std::string::npos);
    EXPECT_TRUE(decision.quarantine.has_value());
}

TEST_F(IntakeTest, RefusesWithAnErrorAMessageThatCannotBeStored) {
    const auto decision = read("MSH|^~\\&|A|B|||1||ADT^A01|7|P|2.5\r");
    ASSERT_TRUE(decision.message.has_value());
    const auto answer = intake.refuse(*decision.message).answer;
    EXPECT_NE(answer.bytes.find("MSA|AE|7\r"), std::string::npos);
    EXPECT_NE(answer.bytes.find("207^Application internal error"), std::string::npos);
}

TEST_F(IntakeTest, MakesASampleThatIsWrittenLikeAnOrder) {
    const auto sample = intake.sample();
    EXPECT_TRUE(sample.makes_order);
    EXPECT_EQ(sample.topic, "gantry.hl7.oml");
    EXPECT_NE(sample.control_id, intake.sample().control_id);
}

TEST_F(IntakeTest, KeepsOddBytesOutOfText) {
    const auto decision = read("MSH|^~\\&|A|B\xFF\x01|||1||ADT^A01|7|P|2.5\r");
    ASSERT_TRUE(decision.message.has_value());
    EXPECT_TRUE(decision.message->facility.starts_with('#'));
    EXPECT_TRUE(decision.message->undecodable);
}

}  // namespace
}  // namespace gantry::mllp
