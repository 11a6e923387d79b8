#include "gantry/hl7/framing.hpp"

#include <gtest/gtest.h>

#include <random>

namespace gantry::hl7 {
namespace {

const std::string kSb(1, kStartBlock);
const std::string kEb(1, kEndBlock);
const std::string kCr(1, kCarriageReturn);

std::string message(int number) {
    return "MSH|^~\\&|LAB|NORTH|||20260131||ADT^A01|" + std::to_string(number) + "|P|2.5\rPID|1\r";
}

std::string framed(int number) {
    return encode_frame(message(number));
}

std::vector<FrameEvent> decode(FrameDecoder& decoder, std::string_view bytes) {
    std::vector<FrameEvent> events;
    decoder.push(bytes, events);
    return events;
}

std::vector<FrameEvent> decode_all(std::string_view bytes,
                                   FramingPolicy policy = FramingPolicy::strict,
                                   FrameLimits limits = {}) {
    FrameDecoder decoder(policy, limits);
    auto events = decode(decoder, bytes);
    decoder.finish(events);
    return events;
}

// F for a frame, M for a malformed one; junk is left out.
std::string shape(const std::vector<FrameEvent>& events) {
    std::string text;
    for (const auto& event : events) {
        if (event.kind != FrameEvent::Kind::junk) {
            text += event.kind == FrameEvent::Kind::frame ? 'F' : 'M';
        }
    }
    return text;
}

std::uint64_t junk(const std::vector<FrameEvent>& events) {
    std::uint64_t total = 0;
    for (const auto& event : events) {
        total += event.kind == FrameEvent::Kind::junk ? event.size : 0;
    }
    return total;
}

TEST(FrameDecoder, GivesThePayloadOfAFrame) {
    const auto events = decode_all(framed(1));
    ASSERT_EQ(shape(events), "F");
    EXPECT_EQ(events[0].bytes, message(1));
    EXPECT_EQ(events[0].size, message(1).size());
}

TEST(FrameDecoder, GivesManyFramesOfOneWriteInOrder) {
    for (const int count : {2, 3, 8}) {
        std::string bytes;
        for (int i = 0; i < count; ++i) {
            bytes += framed(i);
        }
        const auto events = decode_all(bytes);
        ASSERT_EQ(shape(events), std::string(static_cast<std::size_t>(count), 'F'));
        for (int i = 0; i < count; ++i) {
            EXPECT_EQ(events[static_cast<std::size_t>(i)].bytes, message(i));
        }
    }
}

TEST(FrameDecoder, WaitsForTheEndOfAFrame) {
    FrameDecoder decoder;
    EXPECT_TRUE(decode(decoder, kSb + message(1)).empty());
    EXPECT_TRUE(decoder.in_frame());
    std::vector<FrameEvent> events;
    decoder.finish(events);
    ASSERT_EQ(shape(events), "M");
    EXPECT_EQ(events[0].fault, FrameFault::cut);
    EXPECT_FALSE(events[0].answerable);
    EXPECT_FALSE(decoder.in_frame());
}

TEST(FrameDecoder, NeverMergesAHalfFrameWithALateOne) {
    for (const auto policy : {FramingPolicy::strict, FramingPolicy::lenient}) {
        const auto events = decode_all(kSb + "MSH|^~\\&|HALF" + framed(2), policy);
        ASSERT_EQ(shape(events), "MF");
        EXPECT_EQ(events[0].fault, FrameFault::embedded_start);
        EXPECT_FALSE(events[0].answerable);
        EXPECT_EQ(events[1].bytes, message(2));
    }
}

TEST(FrameDecoder, LosesOnlyTheBrokenOneOfTenFrames) {
    const std::string body = message(5);
    for (const std::string& inserted :
         {kSb, kEb, kSb + kSb, kSb + "M", kEb + kEb, kSb + "MS" + kEb + "x"}) {
        std::string bytes;
        for (int i = 1; i <= 10; ++i) {
            bytes +=
                i == 5 ? encode_frame(body.substr(0, 20) + inserted + body.substr(20)) : framed(i);
        }
        const auto events = decode_all(bytes);
        EXPECT_EQ(shape(events), "FFFFMFFFFF");
        EXPECT_TRUE(events[4].answerable);
    }
}

TEST(FrameDecoder, TakesAnEmbeddedEndBlockAsContentWhenLenient) {
    const auto events =
        decode_all(encode_frame("MSH|a" + kEb + "b") + framed(2), FramingPolicy::lenient);
    ASSERT_EQ(shape(events), "FF");
    EXPECT_EQ(events[0].bytes, "MSH|a" + kEb + "b");
}

TEST(FrameDecoder, NeverMergesAMessageThatLostItsStartBlockWhenLenient) {
    const auto events = decode_all(kSb + message(1) + kEb + message(2) + kEb + kCr + framed(3),
                                   FramingPolicy::lenient);
    EXPECT_EQ(shape(events), "MF");
}

TEST(FrameDecoder, JudgesAMissingCarriageReturnByPolicy) {
    const auto bytes = kSb + message(1) + kEb + framed(2);
    const auto strict = decode_all(bytes);
    ASSERT_EQ(shape(strict), "MF");
    EXPECT_EQ(strict[0].fault, FrameFault::missing_cr);
    EXPECT_TRUE(strict[0].answerable);
    EXPECT_EQ(strict[1].bytes, message(2));

    const auto lenient = decode_all(bytes, FramingPolicy::lenient);
    ASSERT_EQ(shape(lenient), "FF");
    EXPECT_EQ(lenient[0].bytes, message(1));
    EXPECT_EQ(lenient[1].bytes, message(2));
}

TEST(FrameDecoder, CompletesAFrameWithoutCarriageReturnWhenItIsQuietAndLenient) {
    for (const auto policy : {FramingPolicy::strict, FramingPolicy::lenient}) {
        FrameDecoder decoder(policy);
        auto events = decode(decoder, kSb + message(1) + kEb);
        EXPECT_TRUE(events.empty());
        decoder.quiet(events);
        EXPECT_EQ(shape(events), policy == FramingPolicy::lenient ? "F" : "");
        // The 0D that comes after all is padding.
        decoder.push(kCr + framed(2), events);
        EXPECT_EQ(shape(events), "FF");
        EXPECT_EQ(junk(events), 0U);
    }
}

TEST(FrameDecoder, ReportsAMissingCarriageReturnAtTheEndOfTheStream) {
    const auto strict = decode_all(kSb + message(1) + kEb);
    ASSERT_EQ(shape(strict), "M");
    EXPECT_EQ(strict[0].fault, FrameFault::missing_cr);
    EXPECT_EQ(shape(decode_all(kSb + message(1) + kEb, FramingPolicy::lenient)), "F");
}

TEST(FrameDecoder, SkipsJunkAndFindsTheFramesBehindIt) {
    const auto events = decode_all("j" + kSb + "unk" + kEb + "x" + framed(1) + framed(2));
    EXPECT_EQ(shape(events), "MFF");
    EXPECT_EQ(junk(events), 1U);
    const auto bare = decode_all(framed(1) + message(2) + framed(3));
    EXPECT_EQ(shape(bare), "FF");
    EXPECT_GT(junk(bare), 0U);
}

TEST(FrameDecoder, SkipsLineEndsBetweenFramesInSilence) {
    FrameDecoder decoder;
    auto events = decode(decoder, framed(1) + "\n\r\n");
    const std::string large = "MSH|^~\\&|" + std::string(200'000, 'x');
    const auto bytes = encode_frame(large);
    for (std::size_t at = 0; at < bytes.size(); at += 1400) {
        decoder.push(std::string_view(bytes).substr(at, 1400), events);
    }
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[1].bytes, large);
}

TEST(FrameDecoder, GivesAnEmptyFrameAsItIs) {
    const auto events = decode_all(encode_frame("") + framed(1));
    ASSERT_EQ(shape(events), "FF");
    EXPECT_EQ(events[0].bytes, "");
}

TEST(FrameDecoder, SurvivesFiveMalformedFrames) {
    std::string bytes;
    for (int i = 0; i < 5; ++i) {
        bytes += encode_frame("a" + kEb + "b");
    }
    EXPECT_EQ(shape(decode_all(bytes + framed(1))), "MMMMMF");
}

TEST(FrameDecoder, KeepsABoundedPrefixOfAFrameThatIsTooLarge) {
    const FrameLimits limits{.max_frame_bytes = 1000, .kept_bytes = 100};
    const std::string exact(1000, 'a');
    const auto events = decode_all(encode_frame(exact) + encode_frame(exact + "a") + framed(1),
                                   FramingPolicy::strict, limits);
    ASSERT_EQ(shape(events), "FMF");
    EXPECT_EQ(events[1].fault, FrameFault::too_large);
    EXPECT_EQ(events[1].size, 1001U);
    EXPECT_EQ(events[1].bytes.size(), 100U);
    EXPECT_TRUE(events[1].answerable);

    FrameDecoder decoder(FramingPolicy::strict, limits);
    std::vector<FrameEvent> none;
    decoder.push(kSb, none);
    for (int i = 0; i < 1000; ++i) {
        decoder.push(exact, none);
        EXPECT_LE(decoder.held_bytes(), 2100U);
    }
}

TEST(FrameDecoder, DoesNotDependOnTheChunking) {
    std::string bytes = "\r\nnoise" + framed(1) + kSb + "half" + framed(2) + kSb + "MSH" + kEb +
                        framed(3) + encode_frame("x" + kSb + "MSy" + kEb + "z") + kEb + kCr + kSb +
                        "MS" + kSb + "MSH|tail" + kEb + "\n" + framed(4) + kSb + "cut";
    std::mt19937 random(7);
    for (const auto policy : {FramingPolicy::strict, FramingPolicy::lenient}) {
        const auto whole = decode_all(bytes, policy);
        for (std::size_t chunk = 0; chunk < 200; ++chunk) {
            FrameDecoder decoder(policy);
            std::vector<FrameEvent> events;
            std::string_view rest = bytes;
            while (!rest.empty()) {
                const auto size =
                    chunk == 0 ? 1 : std::min<std::size_t>(random() % chunk + 1, rest.size());
                decoder.push(rest.substr(0, size), events);
                rest.remove_prefix(size);
            }
            decoder.finish(events);
            ASSERT_EQ(events.size(), whole.size());
            for (std::size_t i = 0; i < events.size(); ++i) {
                EXPECT_EQ(events[i].kind, whole[i].kind);
                EXPECT_EQ(events[i].bytes, whole[i].bytes);
                EXPECT_EQ(events[i].size, whole[i].size);
                EXPECT_EQ(events[i].fault, whole[i].fault);
            }
        }
    }
}

TEST(FrameDecoder, DecodesAThousandMessagesSplitAtEachSegment) {
    FrameDecoder decoder;
    std::vector<FrameEvent> events;
    for (int i = 0; i < 1000; ++i) {
        const std::string bytes = framed(i);
        std::string_view left = bytes;
        while (!left.empty()) {
            const auto cut = std::min(left.find('\r'), left.size() - 1) + 1;
            decoder.push(left.substr(0, cut), events);
            left.remove_prefix(cut);
        }
    }
    EXPECT_EQ(shape(events), std::string(1000, 'F'));
}

}  // namespace
}  // namespace gantry::hl7
