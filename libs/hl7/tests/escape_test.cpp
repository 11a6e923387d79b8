#include "gantry/hl7/message.hpp"

#include <gtest/gtest.h>

#include <random>

namespace gantry::hl7 {
namespace {

const Delimiters kDefault;

TEST(Unescape, ResolvesEverySequence) {
    Delimiters with_truncation;
    with_truncation.truncation = '#';
    EXPECT_EQ(unescape("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f\\P\\g", with_truncation), "a|b^c&d~e\\f#g");
    EXPECT_EQ(unescape("\\X0D0a\\", kDefault), "\r\n");
    EXPECT_EQ(unescape("one\\.br\\two", kDefault), "one\rtwo");
    EXPECT_EQ(unescape("\\H\\bold\\N\\", kDefault), "bold");
}

TEST(Unescape, KeepsWhatItDoesNotKnow) {
    for (const std::string text : {"\\C2842\\", "\\M2442\\", "\\Z1\\", "\\.sp3\\", "\\P\\", "\\Q\\",
                                   "\\XZZ\\", "\\X\\", "\\X123\\"}) {
        EXPECT_EQ(unescape(text, kDefault), text);
    }
}

TEST(Unescape, KeepsMalformedSequences) {
    EXPECT_EQ(unescape("a\\", kDefault), "a\\");
    EXPECT_EQ(unescape("a\\F", kDefault), "a\\F");
    EXPECT_EQ(unescape("\\\\", kDefault), "\\\\");
    EXPECT_EQ(unescape("C:\\temp\\F\\x", kDefault), "C:\\temp|x");
    // A nested sequence is read once, not twice.
    EXPECT_EQ(unescape("\\E\\F\\E\\", kDefault), "\\F\\");
}

TEST(Unescape, DoesNothingWithoutAnEscapeCharacter) {
    Delimiters none;
    none.escape = '\0';
    EXPECT_EQ(unescape("\\F\\", none), "\\F\\");
    EXPECT_EQ(escape("a|b", none), "a|b");
}

TEST(Escape, RoundTripsAnyBytes) {
    std::mt19937 random(3);
    for (int round = 0; round < 2000; ++round) {
        std::string text;
        for (auto length = random() % 24; length > 0; --length) {
            text += random() % 3 == 0 ? "|^&~\\FE\r\n\x1C\x0B"[random() % 11]
                                      : static_cast<char>(random());
        }
        const auto raw = escape(text, kDefault);
        EXPECT_EQ(raw.find_first_of("|^&~\r\n\x0B\x1C"), std::string::npos);
        EXPECT_EQ(unescape(raw, kDefault), text);
    }
}

}  // namespace
}  // namespace gantry::hl7
