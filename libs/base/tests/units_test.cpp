#include "gantry/base/units.hpp"

#include <gtest/gtest.h>

namespace gantry {
namespace {

using namespace std::chrono_literals;

TEST(Duration, ReadsUnitsAndSums) {
    EXPECT_EQ(parse_duration("250ms").value(), 250ms);
    EXPECT_EQ(parse_duration("1m30s").value(), 90s);
    EXPECT_EQ(parse_duration("1d").value(), 24h);
    EXPECT_EQ(parse_duration("0").value(), 0ms);
}

TEST(Duration, RefusesWhatIsUnclearAndSaysWhatIsAllowed) {
    for (const auto* text : {"", "5", "5 s", "s", "-1s", "1.5s", "5sec", "99999999999999999999s",
                             "9223372036854775807d"}) {
        const auto parsed = parse_duration(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_NE(parsed.error().message.find("250ms"), std::string::npos);
    }
}

TEST(Duration, FormatsWhatItReads) {
    for (const auto value : {0ms, 1ms, 90'000ms, 86'400'001ms}) {
        EXPECT_EQ(parse_duration(format_duration(value)).value(), value);
    }
}

TEST(Size, ReadsBinaryUnits) {
    EXPECT_EQ(parse_size("64KiB").value().bytes, 65'536U);
    EXPECT_EQ(parse_size("1GiB").value().bytes, 1ULL << 30);
    EXPECT_EQ(format_size({65'536}), "64KiB");
    EXPECT_EQ(format_size({1}), "1B");
    for (const auto* text : {"", "64", "64KB", "KiB", "1.5MiB", "99999999999GiB"}) {
        EXPECT_FALSE(parse_size(text)) << text;
    }
}

}  // namespace
}  // namespace gantry
