#include "gantry/base/encoding.hpp"

#include <gtest/gtest.h>

namespace gantry {
namespace {

TEST(Base64, MatchesTheVectorsOfRfc4648) {
    const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (const auto& [bytes, text] : vectors) {
        EXPECT_EQ(base64_encode(bytes), text);
        EXPECT_EQ(base64_decode(text).value(), bytes);
    }
}

TEST(Base64, ReadsTheUrlAlphabetWithoutPadding) {
    const std::string bytes = "\xFB\xFF\xFE";
    EXPECT_EQ(base64_decode("-__-").value(), bytes);
    EXPECT_EQ(base64_decode("Zg").value(), "f");
}

TEST(Base64, RefusesOtherText) {
    for (const auto* text : {"Zg=", "Z", "Zm 9v", "Zm9v=", "====", "Zh==", "Zm9v\n"}) {
        EXPECT_FALSE(base64_decode(text)) << text;
    }
}

TEST(Hex, GoesBothWays) {
    const std::string bytes{"\x00\x7F\xFF", 3};
    EXPECT_EQ(hex_encode(bytes), "007fff");
    EXPECT_EQ(hex_decode("007FfF").value(), bytes);
    EXPECT_FALSE(hex_decode("0"));
    EXPECT_FALSE(hex_decode("0g"));
}

TEST(Sha256, MatchesTheVectorOfFips180) {
    EXPECT_EQ(hex_encode(sha256("abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Utf8, AcceptsAndRefusesAsUnicodeSays) {
    EXPECT_TRUE(is_utf8("plain, ü, 漢, \xF0\x9F\x9A\xA2"));
    for (const auto* text :
         {"\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE6\xBC", "\x80", "\xFF"}) {
        EXPECT_FALSE(is_utf8(text));
    }
}

}  // namespace
}  // namespace gantry
