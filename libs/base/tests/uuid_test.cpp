#include "gantry/base/uuid.hpp"

#include <gtest/gtest.h>
#include <set>

namespace gantry {
namespace {

using namespace std::chrono_literals;

TEST(Uuid, Version7CarriesItsTimeAndSortsByIt) {
    const Instant at{1'800'000'000'123ms};
    const auto id = Uuid::v7(at);
    EXPECT_EQ(id.version(), 7);
    EXPECT_EQ(id.bytes()[8] >> 6, 2);
    EXPECT_EQ(id.time(), at);
    EXPECT_LT(id, Uuid::v7(at + 1ms));
}

TEST(Uuid, GoesThroughText) {
    const auto id = Uuid::v7();
    const auto text = id.to_string();
    EXPECT_EQ(text.size(), 36U);
    EXPECT_EQ(Uuid::parse(text).value(), id);
    EXPECT_EQ(Uuid::parse("0190163D-8694-739B-AEA5-966C26F8AD91").value().to_string(),
              "0190163d-8694-739b-aea5-966c26f8ad91");
}

TEST(Uuid, RefusesOtherText) {
    for (const auto* text :
         {"", "0190163d", "0190163d-8694-739b-aea5-966c26f8ad9",
          "0190163d-8694-739b-aea5-966c26f8ad9g", "0190163d08694-739b-aea5-966c26f8ad91"}) {
        EXPECT_FALSE(Uuid::parse(text)) << text;
    }
}

TEST(Uuid, DoesNotRepeat) {
    std::set<Uuid> seen;
    const auto now = Instant{1'800'000'000'000ms};
    for (int i = 0; i < 10'000; ++i) {
        seen.insert(Uuid::v7(now));
    }
    EXPECT_EQ(seen.size(), 10'000U);
}

}  // namespace
}  // namespace gantry
