#include "json_reader.hpp"

#include "gantry/testing/forms.pb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gantry::gateway {
namespace {

using testing::Everything;
using ::testing::HasSubstr;
using ::testing::Not;

Everything read(std::string_view text) {
    Everything message;
    const auto result = read_json(text, message, nullptr);
    EXPECT_TRUE(result) << text << " → " << (result ? "" : result.error().message);
    return message;
}

Error fault(std::string_view text) {
    Everything message;
    const auto result = read_json(text, message, nullptr);
    EXPECT_FALSE(result) << text;
    return result ? Error{} : result.error();
}

TEST(JsonReader, ReadsEveryTypeInEveryAllowedForm) {
    const Everything all = read(R"({
        "text": "ünï\u00e9 \ud83d\ude00", "data": "AAEC_w==", "small": -5, "large": "9007199254740993",
        "natural": 4294967295, "largeNatural": 18446744073709551615, "real": 1e-3, "single": 2,
        "flag": true, "color": "BLUE", "inner": {"name": "n", "child": {"count": 3}},
        "tags": ["a", "b"], "numbers": [1, 2e0, "3"], "inners": [{"name": "x"}, {}],
        "counts": {"a": 1, "b": 2}, "byNumber": {"7": {"name": "seven"}},
        "atTime": "2026-01-31T02:00:00.5Z", "waitFor": "1.5s", "mask": "text,inner.name",
        "maybe": "12", "colors": ["RED", 2], "times": ["2026-01-31T02:00:00+01:00"],
        "left": "l", "perhaps": ""})");
    EXPECT_EQ(all.text(), "ünïé 😀");
    EXPECT_EQ(all.data(), std::string("\0\1\2\xff", 4));
    EXPECT_EQ(all.large(), 9007199254740993);
    EXPECT_EQ(all.large_natural(), 18446744073709551615U);
    EXPECT_EQ(all.color(), testing::BLUE);
    EXPECT_EQ(all.inner().child().count(), 3);
    EXPECT_EQ(all.numbers_size(), 3);
    EXPECT_EQ(all.inners_size(), 2);
    EXPECT_EQ(all.counts().at("b"), 2);
    EXPECT_EQ(all.by_number().at(7).name(), "seven");
    EXPECT_EQ(all.at_time().seconds(), 1769824800);
    EXPECT_EQ(all.at_time().nanos(), 500000000);
    EXPECT_EQ(all.wait_for().nanos(), 500000000);
    EXPECT_EQ(all.mask().paths(1), "inner.name");
    EXPECT_EQ(all.maybe().value(), 12);
    EXPECT_EQ(all.colors(1), testing::BLUE);
    EXPECT_EQ(all.times(0).seconds(), 1769821200);
    EXPECT_TRUE(all.has_perhaps());
}

TEST(JsonReader, TakesNamesInTheProtosSpellingAndNullAsUnset) {
    const Everything all =
        read(R"({"large_natural": 1, "text": null, "inner": null, "tags": null})");
    EXPECT_EQ(all.large_natural(), 1U);
    EXPECT_FALSE(all.has_inner());
    EXPECT_TRUE(read(" {} ").SerializeAsString().empty());
}

struct Case {
    std::string_view text;
    std::string_view field;
    std::string_view says;
};

class JsonReaderRefuses : public ::testing::TestWithParam<Case> {};

TEST_P(JsonReaderRefuses, NamingTheFieldAndWhatIsAllowed) {
    const Error error = fault(GetParam().text);
    EXPECT_EQ(error.code, Code::invalid_argument);
    ASSERT_FALSE(error.fields.empty());
    EXPECT_EQ(error.fields.front().field, GetParam().field);
    EXPECT_THAT(error.fields.front().description, HasSubstr(std::string(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, JsonReaderRefuses,
    ::testing::Values(
        Case{R"({"txt": "a"})", "txt", "the nearest is text"},
        Case{R"({"zzzzzzzz": 1})", "zzzzzzzz", "is not a field; these are: text, data"},
        Case{R"({"inner": {"nam": 1}})", "inner.nam", "the nearest is name"},
        Case{R"({"inners": [{}, {"x": [1, {"y": 2}]}]})", "inners[1].x", "is not a field"},
        Case{R"({"text": 5})", "text", "must be a string"},
        Case{R"({"text": ["a"]})", "text", "must be a string"},
        Case{R"({"text": {"a": 1}})", "text", "must be a string"},
        Case{R"({"text": "a\u0000b"})", "text", "without U+0000"},
        Case{R"({"data": "???"})", "data", "base64"},
        Case{R"({"small": 2147483648})", "small", "from -2147483648 to 2147483647"},
        Case{R"({"small": 1.5})", "small", "must be an integer"},
        Case{R"({"small": "x"})", "small", "must be an integer"},
        Case{R"({"small": true})", "small", "must be an integer"},
        Case{R"({"small": " 1"})", "small", "must be an integer"},
        Case{R"({"large": 1e300})", "large", "64-bit integer"},
        Case{R"({"natural": -1})", "natural", "from 0 to 4294967295"},
        Case{R"({"largeNatural": 18446744073709551616})", "largeNatural", "unsigned 64-bit"},
        Case{R"({"real": "abc"})", "real", "must be a number"},
        Case{R"({"single": 1e39})", "single", "must be a number"},
        Case{R"({"flag": "true "})", "flag", "true or false"},
        Case{R"({"flag": 1})", "flag", "true or false"},
        Case{R"({"color": "GREEN"})", "color", "COLOR_UNSPECIFIED, RED, BLUE"},
        Case{R"({"color": 9})", "color", "must be one of"},
        Case{R"({"inner": "x"})", "inner", "must be an object"},
        Case{R"({"inner": [1]})", "inner", "must be an object"},
        Case{R"({"tags": "a"})", "tags", "must be an array"},
        Case{R"({"tags": {"a": 1}})", "tags", "must be an array"},
        Case{R"({"tags": ["a", null]})", "tags[1]", "must not be null"},
        Case{R"({"tags": ["a", 1]})", "tags[1]", "must be a string"},
        Case{R"({"tags": [["a"]]})", "tags[0]", "must be a string"},
        Case{R"({"inners": [{}, 3]})", "inners[1]", "must be an object"},
        Case{R"({"inners": [{"count": "x"}]})", "inners[0].count", "must be an integer"},
        Case{R"({"counts": [1]})", "counts", "must be an object"},
        Case{R"({"counts": {"a": "x"}})", R"(counts["a"])", "must be an integer"},
        Case{R"({"counts": {"a": 1, "a": 2}})", R"(counts["a"])", "twice"},
        Case{R"({"byNumber": {"x": {}}})", R"(byNumber["x"])", "has a key that must be an integer"},
        Case{R"({"atTime": "yesterday"})", "atTime", "RFC 3339"},
        Case{R"({"atTime": 5})", "atTime", "RFC 3339"},
        Case{R"({"waitFor": "5"})", "waitFor", "ends in s"},
        Case{R"({"mask": "a b"})", "mask", "field names"},
        Case{R"({"maybe": "x"})", "maybe", "64-bit integer"},
        Case{R"({"times": ["x"]})", "times[0]", "RFC 3339"},
        Case{R"({"text": "a", "text": "b"})", "text", "twice"},
        Case{R"({"large_natural": 1, "largeNatural": 1})", "largeNatural", "twice"},
        Case{R"({"left": "a", "right": 1})", "right", "excludes another field of choice"},
        Case{"[1]", "body", "must be an object"}, Case{"null", "body", "must be an object"},
        Case{"5", "body", "must be an object"}, Case{"", "body", "ends too early"},
        Case{"{", "body", "ends too early"}, Case{"{} x", "body", "goes on after its value"},
        Case{R"({"text": "a",})", "text", "is not JSON (line 1, column 14)"},
        Case{"{\n\"text\" \"a\"}", "text", "line 2"},
        Case{R"({"text": "\ud83d"})", "text", "half of a surrogate pair"},
        Case{R"({"text": "\ude00"})", "text", "half of a surrogate pair"},
        Case{"{\"text\": \"\xff\"}", "text", "is not UTF-8"},
        Case{"{\"text\": \"a\nb\"}", "text", "control character"},
        Case{R"({"real": 1e999})", "real", "too large"}, Case{R"({"small": 01})", "small", ""},
        Case{"{'text': 1}", "body", "is not JSON"}, Case{"// x\n{}", "body", "is not JSON"},
        Case{"\xef\xbb\xbf{\"text\": 5}", "text", "must be a string"}));

TEST(JsonReader, ListsEveryFaultAtOnce) {
    const Error error =
        fault(R"({"small": "x", "unknown": {"deep": [1, 2]}, "tags": 1, "inner": {"count": []}})");
    ASSERT_EQ(error.fields.size(), 4U);
    EXPECT_EQ(error.fields[3].field, "inner.count");
    EXPECT_EQ(error.message, "small must be an integer from -2147483648 to 2147483647.");
}

TEST(JsonReader, StopsListingFaultsAtTheLimit) {
    std::string text = R"({"tags": [)";
    for (int i = 0; i < 1000; ++i) {
        text += "1,";
    }
    text += "1]}";
    EXPECT_EQ(fault(text).fields.size(), 20U);
}

TEST(JsonReader, RefusesDeepNestingWithoutRecursion) {
    std::string nested = R"({"inner": )";
    for (int i = 0; i < 31; ++i) {
        nested += R"({"child": )";
    }
    const std::string ends(32, '}');
    read(nested + "null" + ends);
    EXPECT_THAT(fault(nested + "{}" + ends).fields.front().description,
                HasSubstr("deeper than 32 levels"));
    const Error brackets = fault(std::string(1024 * 1024, '['));
    EXPECT_THAT(brackets.fields.front().description, HasSubstr("deeper than 32 levels"));
    const Error unknown = fault(R"({"x": )" + std::string(1024 * 1024, '['));
    EXPECT_THAT(unknown.fields.front().description, HasSubstr("deeper than 32 levels"));
}

TEST(JsonReader, NeverRepeatsAValue) {
    for (const std::string text :
         {R"({"small": "Jane Doe"})", R"({"text": "Jane Doe" x)", R"({"color": "Jane Doe"})",
          R"({"inner": "Jane Doe"})", R"({"text": "Jane Doe\ud800"})", R"({"text": "Jane Doe)"}) {
        const Error error = fault(text);
        EXPECT_THAT(error.message, Not(HasSubstr("Jane")));
        for (const auto& field : error.fields) {
            EXPECT_THAT(field.field + field.description, Not(HasSubstr("Jane")));
        }
    }
}

TEST(JsonReader, FillsOneFieldWhereTheBodyIsThatField) {
    Everything message;
    const auto* inners = Everything::descriptor()->FindFieldByName("inners");
    EXPECT_TRUE(read_json(R"([{"name": "a"}, {"name": "b"}])", message, inners));
    EXPECT_EQ(message.inners(1).name(), "b");
    const auto* inner = Everything::descriptor()->FindFieldByName("inner");
    EXPECT_TRUE(read_json(R"({"count": 4})", message, inner));
    EXPECT_EQ(message.inner().count(), 4);
    const auto wrong = read_json(R"([{"name": 1}])", message, inners);
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().fields.front().field, "[0].name");
}

}  // namespace
}  // namespace gantry::gateway
