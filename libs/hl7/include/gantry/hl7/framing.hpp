#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// MLLP framing (HL7 Transport Specification: MLLP, Release 1): `0B payload 1C 0D`.
namespace gantry::hl7 {

inline constexpr char kStartBlock = '\x0B';
inline constexpr char kEndBlock = '\x1C';
inline constexpr char kCarriageReturn = '\x0D';

/// How a listener treats frames that break the letter of MLLP.
enum class FramingPolicy {
    strict,   ///< A missing 0D and an embedded 1C make the frame malformed.
    lenient,  ///< A missing 0D is forgiven and an embedded 1C is content.
};

/// Why a frame is malformed. An embedded 0B is malformed under both policies: it may be the start
/// of the next message, and two messages are never merged.
enum class FrameFault {
    embedded_start,  ///< 0B inside the frame.
    embedded_end,    ///< 1C inside the frame that does not end it.
    missing_cr,      ///< 1C without 0D before the next frame.
    too_large,       ///< More bytes than `FrameLimits::max_frame_bytes`.
    cut,             ///< The peer closed, went silent, or began anew before the frame's end.
};

/// The fault's stable name, for example "embedded_start".
std::string_view to_string(FrameFault fault);

struct FrameLimits {
    std::size_t max_frame_bytes = std::size_t{16} << 20U;  ///< Payload bytes of one frame.
    std::size_t kept_bytes = std::size_t{64} << 10U;  ///< Of a malformed frame, for quarantine.
};

/// One thing that the decoder saw.
struct FrameEvent {
    enum class Kind {
        frame,      ///< A whole frame; `bytes` is its payload.
        malformed,  ///< `bytes` is the beginning of its payload, `fault` says why.
        junk,       ///< `size` bytes outside any frame; `bytes` is empty.
    };
    Kind kind = Kind::frame;
    std::string bytes;
    std::uint64_t size = 0;  ///< Bytes received: of the payload, or of the junk.
    FrameFault fault = FrameFault::cut;
    /// The peer is still in sync and waits for an answer to this malformed frame: its end was seen.
    bool answerable = false;
};

/// A resynchronising MLLP decoder. Bytes go in with any chunking, events come out in order, and
/// the events do not depend on the chunking. CR and LF between frames are skipped in silence,
/// anything else there is junk. Not thread-safe; it holds one frame at most, bounded by the limits.
class FrameDecoder {
public:
    explicit FrameDecoder(FramingPolicy policy = FramingPolicy::strict, FrameLimits limits = {})
        : policy_(policy), limits_(limits) {}

    /// Decodes `bytes` and appends what they complete to `events`.
    void push(std::string_view bytes, std::vector<FrameEvent>& events);

    /// To be called when the peer has been silent for a moment. Under the lenient policy it
    /// completes a frame whose 1C came without 0D, so that a peer that waits for its answer gets
    /// one.
    void quiet(std::vector<FrameEvent>& events);

    /// The peer closed or timed out: a frame in progress becomes malformed. Ready for a new stream.
    void finish(std::vector<FrameEvent>& events);

    /// True from 0B to the frame's end.
    [[nodiscard]] bool in_frame() const { return state_ != State::outside; }

    /// Bytes held in memory for the frame in progress.
    [[nodiscard]] std::size_t held_bytes() const { return in_frame() ? payload_.capacity() : 0; }

private:
    enum class State {
        outside,      // between frames
        inside,       // in a payload
        after_end,    // a 1C was read
        inner_start,  // a 0B was read inside a frame; header_matched_ bytes of a header followed
    };

    void outside(std::string_view& rest, std::vector<FrameEvent>& events);
    void inside(std::string_view& rest);
    void after_end(std::string_view& rest, std::vector<FrameEvent>& events);
    void inner_start(std::string_view& rest, std::vector<FrameEvent>& events);
    void keep(std::string_view bytes);
    void blame(FrameFault fault);
    void begin();
    void end(std::vector<FrameEvent>& events, bool end_seen);
    void flush_junk(std::vector<FrameEvent>& events);

    // Constant after construction.
    FramingPolicy policy_;
    FrameLimits limits_;

    State state_ = State::outside;
    std::string payload_;
    std::uint64_t size_ = 0;
    std::uint64_t junk_ = 0;
    bool faulty_ = false;
    FrameFault fault_ = FrameFault::cut;
    std::string inner_;  // the bytes after an inner 0B, while they may still be a header
};

/// `payload` in a frame.
std::string encode_frame(std::string_view payload);

}  // namespace gantry::hl7
