#include "gantry/hl7/charset.hpp"

#include <gtest/gtest.h>

namespace gantry::hl7 {
namespace {

TEST(Charset, ReadsTable0211) {
    EXPECT_EQ(charset_of("", Charset::latin1), Charset::latin1);
    EXPECT_EQ(charset_of("\"\"", Charset::ascii), Charset::ascii);
    EXPECT_EQ(charset_of("ASCII", Charset::latin1), Charset::ascii);
    EXPECT_EQ(charset_of("8859/1", Charset::ascii), Charset::latin1);
    EXPECT_EQ(charset_of("UNICODE UTF-8~8859/1", Charset::ascii), Charset::utf8);
    EXPECT_EQ(charset_of("ISO IR87", Charset::ascii), Charset::other);
}

TEST(Decode, TurnsLatin1IntoUtf8) {
    const auto decoded = decode("M\xFCller", Charset::latin1);
    EXPECT_EQ(decoded.text, "M\u00FCller");
    EXPECT_FALSE(decoded.undecodable);
}

TEST(Decode, PassesUtf8Through) {
    EXPECT_EQ(decode("M\u00FCller", Charset::utf8).text, "M\u00FCller");
    EXPECT_FALSE(decode("M\u00FCller", Charset::ascii).undecodable);
}

TEST(Decode, FlagsWhatItCannotReadAndKeepsTheBytes) {
    for (const auto charset : {Charset::ascii, Charset::utf8, Charset::other}) {
        const auto decoded = decode("M\xFCller", charset);
        EXPECT_TRUE(decoded.undecodable);
        EXPECT_EQ(decoded.text, "M\xFCller");
    }
    EXPECT_TRUE(decode(std::string_view("a\0b", 3), Charset::latin1).undecodable);
}

}  // namespace
}  // namespace gantry::hl7
