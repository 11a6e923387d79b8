#include "gantry/kafka/options.hpp"

#include <gtest/gtest.h>

namespace gantry::kafka {
namespace {

TEST(Options, AcceptsFurtherProperties) {
    Options options;
    options.brokers = "localhost:9092";
    options.properties = {"socket.timeout.ms=5000", "compression.type=lz4"};
    EXPECT_TRUE(options.validate().empty());
}

TEST(Options, NamesARefusedPropertyWithoutItsValue) {
    Options options;
    options.brokers = "localhost:9092";
    options.properties = {"no.such.thing=hunter2"};
    const auto faults = options.validate();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_NE(faults[0].problem.find("no.such.thing"), std::string::npos);
    EXPECT_EQ(faults[0].problem.find("hunter2"), std::string::npos);
}

TEST(Options, PutsThePrefixInFrontOfTopics) {
    EXPECT_EQ(Options{}.topic("jobs.default"), "gantry.jobs.default");
}

}  // namespace
}  // namespace gantry::kafka
