#include "gantry/jobs/retry.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace gantry::jobs {
namespace {

TEST(RetryPolicy, GrowsToItsCap) {
    const RetryPolicy policy{milliseconds{1'000}, milliseconds{10'000}};
    constexpr double kHalf = 0.5;
    EXPECT_EQ(policy.delay(1, kHalf), milliseconds{500});
    EXPECT_EQ(policy.delay(2, kHalf), milliseconds{1000});
    EXPECT_EQ(policy.delay(4, kHalf), milliseconds{4000});
    EXPECT_EQ(policy.delay(5, kHalf), milliseconds{5000});
    EXPECT_EQ(policy.delay(60, kHalf), milliseconds{5000});
}

TEST(RetryPolicy, IsDrawnFromTheWholeSpan) {
    const RetryPolicy policy{milliseconds{1'000}, milliseconds{10'000}};
    EXPECT_EQ(policy.delay(3, 0.5), milliseconds{2'000});
    EXPECT_EQ(policy.delay(3, 0.0), milliseconds{10}) << "never at once";
}

TEST(RetryPolicy, StaysWithinItsLimitsForEveryAttempt) {
    const RetryPolicy policy{milliseconds{1'000}, milliseconds{3'600'000}};
    for (const int attempt :
         {-1, 0, 1, 2, 31, 32, 63, 64, 1'000, std::numeric_limits<int>::max()}) {
        for (const double draw : {0.0, 0.3, 0.999'999}) {
            EXPECT_GE(policy.delay(attempt, draw), milliseconds{10}) << attempt;
            EXPECT_LE(policy.delay(attempt, draw), policy.cap) << attempt;
        }
    }
}

TEST(RetryPolicy, ACapUnderTheFloorCounts) {
    const RetryPolicy policy{milliseconds{5}, milliseconds{5}};
    EXPECT_EQ(policy.delay(3, 0.5), milliseconds{5});
}

}  // namespace
}  // namespace gantry::jobs
