#include "gantry/kafka/record.hpp"

#include <gtest/gtest.h>

namespace gantry::kafka {
namespace {

// The vectors of Apache Kafka's own UtilsTest.testMurmur2.
TEST(Murmur2, HashesAsTheJvmClientDoes) {
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("21")), -973932308);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("foobar")), -790332482);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-long-string")), -985981536);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-longer-string")), -1486304829);
    EXPECT_EQ(
        static_cast<std::int32_t>(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")),
        -58897971);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("abc")), 479470107);
}

TEST(Murmur2, ChoosesAPartitionInRangeForAnyKey) {
    EXPECT_EQ(partition_of("foobar", 4),
              static_cast<std::int32_t>((murmur2("foobar") & 0x7fffffff) % 4));
    for (const auto* key : {"", "a", "\xff\xfe", "long enough to take several words"}) {
        EXPECT_GE(partition_of(key, 7), 0);
        EXPECT_LT(partition_of(key, 7), 7);
    }
}

TEST(FindHeader, GivesTheLastValueOfAName) {
    const Headers headers = {{"a", "1"}, {"b", std::nullopt}, {"a", "2"}};
    EXPECT_EQ(find_header(headers, "a"), "2");
    EXPECT_EQ(find_header(headers, "b"), std::nullopt);
    EXPECT_EQ(find_header(headers, "c"), std::nullopt);
}

TEST(Record, WeighsWhatItHolds) {
    Record record;
    const auto empty = record.weight();
    record.value = std::string(1000, 'x');
    EXPECT_EQ(record.weight(), empty + 1000);
    EXPECT_GT(empty, 0U);
}

}  // namespace
}  // namespace gantry::kafka
