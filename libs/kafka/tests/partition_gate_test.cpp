#include "../src/partition_gate.hpp"

#include <gtest/gtest.h>

namespace gantry::kafka {
namespace {

class Gate : public ::testing::Test {
protected:
    PartitionGate::Topic* enter(std::int32_t partition) {
        auto* const topic = gate_.enter("t");
        if (topic != nullptr && !gate_.enter(*topic, partition)) {
            gate_.leave(*topic, -1, false);
            return nullptr;
        }
        return topic;
    }

    FakeClock clock_;
    PartitionGate gate_{clock_, std::chrono::seconds{60}};
};

TEST_F(Gate, LetsTheFirstRecordOfATopicGoAlone) {
    auto* const topic = enter(0);
    ASSERT_NE(topic, nullptr);
    EXPECT_EQ(enter(0), nullptr);
    EXPECT_EQ(enter(1), nullptr);
    gate_.leave(*topic, 0, true);
    EXPECT_NE(enter(0), nullptr);
    EXPECT_NE(enter(0), nullptr);
}

TEST_F(Gate, LetsTheFirstRecordOfEachPartitionGoAlone) {
    gate_.leave(*enter(0), 0, true);
    auto* const topic = enter(1);
    ASSERT_NE(topic, nullptr);
    EXPECT_EQ(enter(1), nullptr);
    EXPECT_NE(enter(0), nullptr);
    gate_.leave(*topic, 1, true);
    EXPECT_NE(enter(1), nullptr);
}

TEST_F(Gate, StaysShutAfterARecordThatWasNotStored) {
    gate_.leave(*enter(0), 0, false);
    EXPECT_NE(enter(0), nullptr);
    EXPECT_EQ(enter(0), nullptr);
}

TEST_F(Gate, OpensAnewAfterARest) {
    gate_.leave(*enter(0), 0, true);
    clock_.advance(std::chrono::seconds{59});
    auto* const topic = enter(0);
    EXPECT_NE(enter(0), nullptr);
    clock_.advance(std::chrono::seconds{600});
    // Not while records are inside: the broker's answer to them is what counts.
    EXPECT_NE(enter(0), nullptr);
    for (int i = 0; i < 3; ++i) {
        gate_.leave(*topic, 0, true);
    }
    clock_.advance(std::chrono::seconds{60});
    EXPECT_NE(enter(0), nullptr);
    EXPECT_EQ(enter(0), nullptr);
}

TEST_F(Gate, ShutsATopicThatIsUnknownAgain) {
    gate_.leave(*enter(0), 0, true);
    auto* const topic = gate_.enter("t");
    gate_.move(*topic, -1, 0);
    EXPECT_EQ(gate_.enter("t"), nullptr);
    gate_.move(*topic, 0, 1);
    gate_.leave(*topic, 1, true);
    EXPECT_NE(enter(1), nullptr);
    EXPECT_NE(enter(1), nullptr);
}

}  // namespace
}  // namespace gantry::kafka
