// The MLLP decoder: what it makes of a stream does not depend on how TCP cuts the stream, and no
// frame holds what its policy forbids. The first byte seeds the cuts.

#include "gantry/base/ensure.hpp"
#include "gantry/hl7/framing.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

namespace {

using namespace gantry::hl7;

constexpr FrameLimits kLimits{.max_frame_bytes = 200, .kept_bytes = 40};

std::vector<FrameEvent> decode(std::string_view bytes, FramingPolicy policy, std::size_t most,
                               unsigned seed) {
    std::minstd_rand random(seed);
    FrameDecoder decoder(policy, kLimits);
    std::vector<FrameEvent> events;
    while (!bytes.empty()) {
        const auto size = std::min<std::size_t>(random() % most + 1, bytes.size());
        decoder.push(bytes.substr(0, size), events);
        bytes.remove_prefix(size);
    }
    decoder.finish(events);
    ENSURE(!decoder.in_frame(), "a finished decoder is between frames");
    return events;
}

bool same(const FrameEvent& a, const FrameEvent& b) {
    return a.kind == b.kind && a.bytes == b.bytes && a.size == b.size && a.fault == b.fault &&
           a.answerable == b.answerable;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) {
        return 0;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    for (const auto policy : {FramingPolicy::strict, FramingPolicy::lenient}) {
        const auto whole = decode(bytes, policy, SIZE_MAX, 1);
        for (const std::size_t most : {std::size_t{1}, std::size_t{3}, std::size_t{17}}) {
            const auto parts = decode(bytes, policy, most, data[0]);
            ENSURE(std::ranges::equal(whole, parts, same), "events depend on the chunking");
        }
        for (const auto& event : whole) {
            if (event.kind == FrameEvent::Kind::frame) {
                ENSURE(event.bytes.find(kStartBlock) == std::string::npos, "0B in a frame");
                ENSURE(policy == FramingPolicy::lenient ||
                           event.bytes.find(kEndBlock) == std::string::npos,
                       "1C in a strict frame");
                ENSURE(event.bytes.size() <= kLimits.max_frame_bytes, "frame over its limit");
            } else {
                ENSURE(event.bytes.size() <= kLimits.kept_bytes, "kept too much");
            }
        }
    }
    return 0;
}
