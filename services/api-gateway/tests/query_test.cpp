#include "query.hpp"

#include "gantry/testing/forms.pb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gantry::gateway {
namespace {

using ::testing::ElementsAre;
using testing::Everything;
using ::testing::HasSubstr;

TEST(Query, SetsFieldsOfEveryKind) {
    Everything all;
    const auto read = read_query(
        "text=a%20b+c&small=-3&large=5&flag=true&color=RED&inner.child.name=x&tags=1&tags=2"
        "&numbers=4&numbers=5&atTime=2026-01-31T02%3A00%3A00Z&waitFor=1.5s&colors=BLUE&maybe=9"
        "&large_natural=7&real=1e3&data=AAE=&mask=text,inner.name&&perhaps=",
        all, {});
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(all.text(), "a b c");
    EXPECT_EQ(all.inner().child().name(), "x");
    EXPECT_THAT(all.tags(), ElementsAre("1", "2"));
    EXPECT_THAT(all.numbers(), ElementsAre(4, 5));
    EXPECT_EQ(all.at_time().seconds(), 1769824800);
    EXPECT_EQ(all.wait_for().seconds(), 1);
    EXPECT_EQ(all.maybe().value(), 9);
    EXPECT_EQ(all.large_natural(), 7U);
    EXPECT_TRUE(all.has_perhaps());
}

struct Case {
    std::string_view query;
    std::string_view field;
    std::string_view says;
};

class QueryRefuses : public ::testing::TestWithParam<Case> {};

TEST_P(QueryRefuses, NamingTheParameterAndWhatIsAllowed) {
    Everything all;
    const std::vector<const FieldDescriptor*> reserved = {
        Everything::descriptor()->FindFieldByName("request_id")};
    const auto read = read_query(GetParam().query, all, reserved);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Code::invalid_argument);
    EXPECT_EQ(read.error().fields.front().field, GetParam().field);
    EXPECT_THAT(read.error().fields.front().description, HasSubstr(std::string(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(
    Parameters, QueryRefuses,
    ::testing::Values(Case{"txt=1", "txt", "the nearest is text"},
                      Case{"inner.nam=1", "inner.nam", "the nearest is name"},
                      Case{"text.x=1", "text.x", "text has no fields of its own"},
                      Case{"inners.name=1", "inners.name", "has no fields of its own"},
                      Case{"inner=1", "inner", "has fields of its own"},
                      Case{"counts=1", "counts", "has fields of its own"},
                      Case{"small=x", "small", "must be an integer"},
                      Case{"small=", "small", "must be an integer"},
                      Case{"flag", "flag", "true or false"},
                      Case{"color=GREEN", "color", "must be one of"},
                      Case{"atTime=now", "atTime", "RFC 3339"},
                      Case{"numbers=1&numbers=x", "numbers", "must be an integer"},
                      Case{"text=a&text=b", "text", "stands here twice"},
                      Case{"large_natural=1&largeNatural=2", "largeNatural", "stands here twice"},
                      Case{"request_id=1", "requestId", "set by the path or the body"},
                      Case{"text=%zz", "text", "two hexadecimal digits"},
                      Case{"text=%ff", "text", "UTF-8"}, Case{"text=%00", "text", "U+0000"},
                      Case{"=1", "", "is not a field"}, Case{"%ff=1", "query", "broken"}));

TEST(Query, ListsEveryFaultAndBoundsTheirNumber) {
    Everything all;
    std::string query;
    for (int i = 0; i < 100; ++i) {
        query += "zz" + std::to_string(i) + "=1&";
    }
    EXPECT_EQ(read_query(query, all, {}).error().fields.size(), 20U);
    EXPECT_EQ(refuse_query(query).error().fields.size(), 20U);
    EXPECT_TRUE(refuse_query(""));
}

}  // namespace
}  // namespace gantry::gateway
