#include "gantry/base/result.hpp"

#include <gtest/gtest.h>
#include <memory>

namespace gantry {
namespace {

Result<std::unique_ptr<int>> make(int value) {
    if (value < 0) {
        return invalid("value", "must not be negative");
    }
    return std::make_unique<int>(value);
}

Result<void> check(int value) {
    if (value > 100) {
        return fail(Code::out_of_range, "too large");
    }
    return {};
}

Result<int> sum(int a, int b) {
    TRY(check(a));
    const auto left = TRY(make(a));
    const auto right = TRY(make(b));
    return *left + *right;
}

TEST(Result, TryYieldsTheValueOrReturnsTheError) {
    EXPECT_EQ(sum(1, 2).value(), 3);
    EXPECT_EQ(sum(101, 2).error().code, Code::out_of_range);
    const auto refused = sum(1, -2);
    ASSERT_FALSE(refused);
    ASSERT_EQ(refused.error().fields.size(), 1U);
    EXPECT_EQ(refused.error().fields[0].field, "value");
}

template <int Least, int Most>
Result<int> within(int value) {
    return value < Least || value > Most ? Result<int>(fail(Code::out_of_range, "outside"))
                                         : Result<int>(value);
}

Result<int> nested(int value) {
    return TRY(within<0, 10>(TRY(within<1, 100>(*TRY(make(value)))))) + TRY(within<0, 5>(value));
}

TEST(Result, TryNestsInItsOwnArgument) {
    EXPECT_EQ(nested(3).value(), 6);
    EXPECT_EQ(nested(-1).error().code, Code::invalid_argument);
    EXPECT_EQ(nested(0).error().code, Code::out_of_range);
    EXPECT_EQ(nested(11).error().code, Code::out_of_range);
    EXPECT_EQ(nested(6).error().code, Code::out_of_range);
}

TEST(Error, TakesContextInFront) {
    const Error error =
        Error{Code::unavailable, "connection lost", {}, {}}.with_context("claim batch");
    EXPECT_EQ(error.message, "claim batch: connection lost");
    EXPECT_TRUE(error.transient());
    EXPECT_EQ(to_string(error.code), "UNAVAILABLE");
}

}  // namespace
}  // namespace gantry
