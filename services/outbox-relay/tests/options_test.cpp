#include "options.hpp"

#include <gtest/gtest.h>

namespace gantry::relay {
namespace {

std::vector<std::string> faulty_keys(const RelayOptions& options) {
    std::vector<std::string> keys;
    for (const auto& fault : options.validate()) {
        keys.push_back(fault.key);
    }
    return keys;
}

TEST(RelayOptions, TakesItsDefaults) {
    EXPECT_TRUE(RelayOptions().validate().empty());
}

TEST(RelayOptions, ReportsAllFaultsTogether) {
    RelayOptions options;
    options.poll_min_interval = milliseconds{500};
    options.poll_max_interval = milliseconds{100};
    options.topics = {"good.topic", "bad topic"};
    EXPECT_EQ(faulty_keys(options),
              (std::vector<std::string>{"relay.poll_max_interval", "relay.topics"}));
}

TEST(RelayOptions, RefusesTopicsThatKafkaWouldRefuse) {
    for (const auto& topic : {std::string(), std::string(250, 'a'), std::string("a/b"),
                              std::string("."), std::string("..")}) {
        RelayOptions options;
        options.topics = {topic};
        EXPECT_EQ(faulty_keys(options), std::vector<std::string>{"relay.topics"}) << topic;
    }
}

}  // namespace
}  // namespace gantry::relay
