#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/hl7/framing.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::mllp {

/// What a frame is answered with.
struct Answer {
    enum class Kind {
        bytes,  ///< `bytes` in a frame.
        none,   ///< Nothing; the sender expects nothing.
        close,  ///< No answer, and the connection ends: the sender has to send again.
    };
    Kind kind = Kind::none;
    std::string bytes;
};

/// The protocol of one MLLP connection without its socket: bytes in, frames out, answers in any
/// order in, answers in arrival order out, and the timeouts. Not thread-safe; the caller's thread
/// gives it the time.
class Session {
public:
    struct Limits {
        hl7::FramingPolicy framing = hl7::FramingPolicy::strict;
        hl7::FrameLimits frame;
        std::size_t max_in_flight = 64;
        std::chrono::milliseconds idle_timeout{600'000};  ///< 0: none.
        std::chrono::milliseconds read_timeout{30'000};
        std::chrono::milliseconds frame_timeout{120'000};
        std::chrono::milliseconds write_timeout{30'000};
        /// An arrival that is not answered for so long will not be.
        std::chrono::milliseconds answer_timeout{12'000};
        std::chrono::milliseconds quiet{250};  ///< Silence that completes a lenient frame.
    };

    /// A frame or a malformed one, with the number of its place in the row of answers.
    struct Arrival {
        std::uint64_t sequence = 0;
        hl7::FrameEvent event;
    };

    Session(const Limits& limits, SteadyTime now);

    /// Bytes came from the peer.
    void received(std::string_view bytes, SteadyTime now);

    /// The peer sends no more; it may still read.
    void peer_closed(SteadyTime now);

    /// The next arrival to handle. Each has to be answered once.
    std::optional<Arrival> next(SteadyTime now);

    /// True if `next` would give one.
    [[nodiscard]] bool has_next() const {
        return !inbox_.empty() && slots_.size() < limits_->max_in_flight;
    }

    /// Answers arrival `sequence`. Answers leave in the order of arrivals.
    void answer(std::uint64_t sequence, Answer answer, SteadyTime now);

    /// The framed answers that may be sent now; takes them out.
    std::string take_output();
    /// What was taken has been sent.
    void sent(SteadyTime now);

    /// True if more bytes should be read from the peer.
    [[nodiscard]] bool wants_bytes() const;

    /// True when nothing remains to be done: close the connection after what was taken is sent.
    [[nodiscard]] bool done() const;

    /// Finish the frame being read, answer everything, then be done.
    void drain();

    /// Cut the frame being read, as if the peer had closed, answer everything, then be done.
    void cut(SteadyTime now) { peer_closed(now); }

    /// What a look at the clock found.
    enum class Expiry {
        none,
        idle,    ///< No message for too long.
        read,    ///< A frame took too long; it was cut. The session is done once all is answered.
        write,   ///< The peer does not take its answers: close at once.
        answer,  ///< We owe an answer for too long; the session ends without it.
    };

    /// Looks at the time. `held`: the caller, not the peer, keeps bytes from being read, so that
    /// silence is not the peer's.
    Expiry tick(SteadyTime now, bool held);

    /// Bytes of frames not handed out yet.
    [[nodiscard]] std::size_t held_bytes() const { return inbox_bytes_ + decoder_.held_bytes(); }
    /// Junk bytes between frames since the last call.
    std::uint64_t take_junk();
    [[nodiscard]] bool in_frame() const { return decoder_.in_frame(); }
    [[nodiscard]] std::size_t in_flight() const { return slots_.size(); }

private:
    // The place of an arrival in the row of answers.
    struct Slot {
        SteadyTime since;
        std::optional<Answer> answer;
    };

    void sort_in(std::vector<hl7::FrameEvent>& events, SteadyTime now);
    void give_up();

    // Constant after construction; outlives the session.
    const Limits* limits_;

    hl7::FrameDecoder decoder_;
    std::deque<hl7::FrameEvent> inbox_;
    std::size_t inbox_bytes_ = 0;
    std::deque<Slot> slots_;  // in order of arrival
    std::uint64_t first_slot_ = 0;
    std::string output_;
    std::uint64_t junk_ = 0;
    bool sending_ = false;
    bool no_more_bytes_ = false;  // the peer closed, or we stopped reading
    bool closing_ = false;        // an arrival is not to be answered: nothing behind it is either
    bool draining_ = false;
    SteadyTime active_;         // the last message or answer
    SteadyTime last_byte_;      // the last byte of a frame
    SteadyTime frame_started_;  // the 0B of the frame being read
    SteadyTime progressed_;     // the last time the peer took an answer
};

}  // namespace gantry::mllp
