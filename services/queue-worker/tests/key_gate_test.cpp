#include "key_gate.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace gantry::worker {
namespace {

TEST(KeyGate, LetsOneOfAKeyThroughAndTheOthersInOrder) {
    KeyGate<int> gate;
    EXPECT_EQ(gate.enter("a", 1), 1);
    EXPECT_EQ(gate.enter("a", 2), std::nullopt);
    EXPECT_EQ(gate.enter("a", 3), std::nullopt);
    EXPECT_EQ(gate.leave("a"), 2);
    EXPECT_EQ(gate.leave("a"), 3);
    EXPECT_EQ(gate.leave("a"), std::nullopt);
    EXPECT_EQ(gate.keys(), 0U);
    EXPECT_EQ(gate.enter("a", 4), 4);
}

TEST(KeyGate, KeysDoNotWaitForEachOther) {
    KeyGate<int> gate;
    EXPECT_EQ(gate.enter("a", 1), 1);
    EXPECT_EQ(gate.enter("b", 2), 2);
    EXPECT_EQ(gate.keys(), 2U);
}

TEST(KeyGate, LeavingAnEmptyGateIsHarmless) {
    KeyGate<int> gate;
    EXPECT_EQ(gate.leave("a"), std::nullopt);
}

TEST(KeyGate, CopiesNothing) {
    KeyGate<std::unique_ptr<std::string>> gate;
    auto first = gate.enter("a", std::make_unique<std::string>("x"));
    ASSERT_TRUE(first);
    EXPECT_EQ(**first, "x");
    gate.enter("a", std::make_unique<std::string>("y"));
    EXPECT_EQ(**gate.leave("a"), "y");
}

}  // namespace
}  // namespace gantry::worker
