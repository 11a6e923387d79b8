#include "gantry/base/backoff.hpp"

#include <gtest/gtest.h>

namespace gantry {
namespace {

TEST(Backoff, CeilingDoublesUpToTheCapAndNeverOverflows) {
    const Backoff::Limits limits{milliseconds{500}, milliseconds{30'000}, milliseconds{10}};
    EXPECT_EQ(Backoff::ceiling(limits, 0), milliseconds{500});
    EXPECT_EQ(Backoff::ceiling(limits, 1), milliseconds{1'000});
    EXPECT_EQ(Backoff::ceiling(limits, 6), milliseconds{30'000});
    EXPECT_EQ(Backoff::ceiling(limits, 1'000'000), milliseconds{30'000});
}

TEST(Backoff, DelaysStayBetweenFloorAndCeiling) {
    Backoff backoff({milliseconds{100}, milliseconds{1'000}, milliseconds{20}});
    for (int i = 0; i < 200; ++i) {
        const auto delay = backoff.next();
        EXPECT_GE(delay, milliseconds{20});
        EXPECT_LE(delay, milliseconds{1'000});
    }
    EXPECT_EQ(backoff.failures(), 200);
    backoff.reset();
    EXPECT_EQ(backoff.failures(), 0);
}

}  // namespace
}  // namespace gantry
