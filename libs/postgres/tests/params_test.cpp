#include "gantry/postgres/params.hpp"

#include <gtest/gtest.h>

namespace gantry::postgres {
namespace {

using namespace std::chrono_literals;

TEST(Param, WritesEachTypeAsPostgreSqlReadsIt) {
    EXPECT_EQ(Param(nullptr).text(), std::nullopt);
    EXPECT_EQ(Param(true).text(), "t");
    EXPECT_EQ(Param(-7).text(), "-7");
    EXPECT_EQ(Param(0.5).text(), "0.5");
    EXPECT_EQ(Param("text").text(), "text");
    EXPECT_EQ(Param(Bytes{std::string_view("\x00\xFF", 2)}).text(), "\\x00ff");
    EXPECT_EQ(Param(1500ms).text(), "1500000 microseconds");
    EXPECT_EQ(Param(Instant{1'767'225'600s}).text(), "2026-01-01T00:00:00.000000Z");
    EXPECT_EQ(Param(std::optional<int>{}).text(), std::nullopt);
    EXPECT_EQ(Param(std::optional<int>{3}).text(), "3");
}

TEST(Array, QuotesEveryElementAndKeepsNull) {
    const Params elements{"plain", "with \"quotes\" and \\", nullptr, Bytes{"\x01"}, ""};
    EXPECT_EQ(array(elements).text(), R"({"plain","with \"quotes\" and \\",NULL,"\\x01",""})");
    EXPECT_EQ(array(Params{}).text(), "{}");
    EXPECT_EQ(array(std::vector<int>{1, 2}).text(), R"({"1","2"})");
}

}  // namespace
}  // namespace gantry::postgres
