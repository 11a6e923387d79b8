#include "options.hpp"

#include <gtest/gtest.h>

namespace gantry::mllp {
namespace {

TEST(OptionsTest, HasDefaultsWithoutFaults) {
    EXPECT_TRUE(Options{}.validate().empty());
}

TEST(OptionsTest, WantsMemoryForTheLargestMessage) {
    Options options;
    options.max_buffered_size = ByteSize{std::uint64_t{16} << 20U};
    ASSERT_EQ(options.validate().size(), 1U);
    EXPECT_EQ(options.validate().front().key, "mllp.max_buffered_size");
}

TEST(OptionsTest, WantsProcessingIdsOfOneLetter) {
    Options options;
    options.processing_ids = {"P", "TD"};
    ASSERT_EQ(options.validate().size(), 1U);
    EXPECT_EQ(options.validate().front().key, "mllp.processing_ids");
    options.processing_ids.clear();
    EXPECT_EQ(options.validate().size(), 1U);
}

}  // namespace
}  // namespace gantry::mllp
