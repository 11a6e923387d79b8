#include "json_writer.hpp"

#include "json_reader.hpp"

#include "gantry/testing/forms.pb.h"

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace gantry::gateway {
namespace {

using testing::Everything;

std::string written(const google::protobuf::Message& message) {
    std::string out;
    write_json(message, out);
    return out;
}

Everything full() {
    Everything all;
    all.set_text("a\"\\\n\t\x01 ü");
    all.set_data(std::string("\0\xff", 2));
    all.set_small(-1);
    all.set_large(9007199254740993);
    all.set_natural(7);
    all.set_large_natural(18446744073709551615U);
    all.set_real(0.1);
    all.set_single(0.25F);
    all.set_flag(true);
    all.set_color(testing::RED);
    all.mutable_inner()->mutable_child()->set_count(2);
    all.add_tags("x");
    all.add_numbers(3);
    all.add_inners()->set_name("n");
    (*all.mutable_counts())["k"] = 4;
    (*all.mutable_by_number())[5].set_name("five");
    all.mutable_at_time()->set_seconds(1769824800);
    all.mutable_wait_for()->set_seconds(90);
    all.mutable_mask()->add_paths("at_time");
    all.mutable_maybe()->set_value(6);
    all.add_colors(testing::BLUE);
    all.add_times()->set_seconds(0);
    all.set_right(8);
    all.set_perhaps("p");
    return all;
}

TEST(JsonWriter, WritesWhatTheReaderAndProtobufRead) {
    const Everything all = full();
    const std::string text = written(all);
    Everything ours;
    ASSERT_TRUE(read_json(text, ours, nullptr)) << text;
    EXPECT_EQ(ours.DebugString(), all.DebugString());
    Everything theirs;
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(text, &theirs).ok()) << text;
    EXPECT_EQ(theirs.DebugString(), all.DebugString());
}

TEST(JsonWriter, WritesFieldsThatAreNotSet) {
    EXPECT_EQ(
        written(Everything{}),
        R"({"text":"","data":"","small":0,"large":"0","natural":0,"largeNatural":"0","real":0,)"
        R"("single":0,"flag":false,"color":"COLOR_UNSPECIFIED","inner":null,"tags":[],)"
        R"("numbers":[],"inners":[],"counts":{},"byNumber":{},"atTime":null,"waitFor":null,)"
        R"("mask":null,"maybe":null,"colors":[],"times":[],"requestId":""})");
}

TEST(JsonWriter, UsesJsonsFormsOfEachType) {
    const std::string text = written(full());
    for (const char* part :
         {R"("text":"a\"\\\n\u0009\u0001 ü")", R"("data":"AP8=")", R"("large":"9007199254740993")",
          R"("largeNatural":"18446744073709551615")", R"("real":0.1)", R"("color":"RED")",
          R"("atTime":"2026-01-31T02:00:00Z")", R"("waitFor":"90s")", R"("mask":"atTime")",
          R"("maybe":"6")", R"("byNumber":{"5":{"name":"five")", R"("right":8,"perhaps":"p")"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
    }
}

TEST(JsonWriter, WritesNumbersThatJsonDoesNotHave) {
    Everything all;
    all.set_real(std::numeric_limits<double>::quiet_NaN());
    all.set_single(-std::numeric_limits<float>::infinity());
    const std::string text = written(all);
    EXPECT_NE(text.find(R"("real":"NaN","single":"-Infinity")"), std::string::npos);
}

TEST(JsonWriter, WritesEnumValuesOfNewerServicesAsNumbers) {
    Everything all;
    all.set_color(static_cast<testing::Color>(77));
    EXPECT_NE(written(all).find(R"("color":77)"), std::string::npos);
}

TEST(JsonWriter, ReplacesBytesThatAreNotUtf8) {
    std::string out;
    write_json_string("a\xff", out);
    EXPECT_EQ(out, "\"a\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace gantry::gateway
