#include "gantry/hl7/framing.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace gantry::hl7 {
namespace {

constexpr std::size_t kHeaderLength = 3;
constexpr std::array<std::string_view, 3> kHeaders{"MSH", "BHS", "FHS"};

bool may_become_header(std::string_view bytes) {
    return std::ranges::any_of(kHeaders,
                               [&](std::string_view header) { return header.starts_with(bytes); });
}

// The first 0B or 1C, or npos. Two memchr passes are many times faster than a byte loop.
std::size_t find_control(std::string_view bytes) {
    const auto end = bytes.find(kEndBlock);
    const auto start = bytes.substr(0, end).find(kStartBlock);
    return start == std::string_view::npos ? end : start;
}

}  // namespace

std::string_view to_string(FrameFault fault) {
    switch (fault) {
        case FrameFault::embedded_start:
            return "embedded_start";
        case FrameFault::embedded_end:
            return "embedded_end";
        case FrameFault::missing_cr:
            return "missing_cr";
        case FrameFault::too_large:
            return "too_large";
        case FrameFault::cut:
            return "cut";
    }
    return "unknown";
}

void FrameDecoder::push(std::string_view bytes, std::vector<FrameEvent>& events) {
    while (!bytes.empty()) {
        switch (state_) {
            case State::outside:
                outside(bytes, events);
                break;
            case State::inside:
                inside(bytes);
                break;
            case State::after_end:
                after_end(bytes, events);
                break;
            case State::inner_start:
                inner_start(bytes, events);
                break;
        }
    }
}

void FrameDecoder::quiet(std::vector<FrameEvent>& events) {
    if (state_ == State::after_end && policy_ == FramingPolicy::lenient) {
        end(events, true);
    }
}

void FrameDecoder::finish(std::vector<FrameEvent>& events) {
    quiet(events);
    if (state_ != State::outside) {
        if (state_ == State::after_end) {
            blame(FrameFault::missing_cr);
        }
        blame(FrameFault::cut);
        end(events, false);
    }
    flush_junk(events);
}

void FrameDecoder::outside(std::string_view& rest, std::vector<FrameEvent>& events) {
    const auto start = std::min(rest.find(kStartBlock), rest.size());
    const auto skipped = rest.substr(0, start);
    junk_ += static_cast<std::uint64_t>(
        std::ranges::count_if(skipped, [](char c) { return c != '\r' && c != '\n'; }));
    rest.remove_prefix(start);
    if (!rest.empty()) {
        rest.remove_prefix(1);
        flush_junk(events);
        begin();
    }
}

void FrameDecoder::inside(std::string_view& rest) {
    const auto control = std::min(find_control(rest), rest.size());
    keep(rest.substr(0, control));
    rest.remove_prefix(control);
    if (!rest.empty()) {
        state_ = rest.front() == kEndBlock ? State::after_end : State::inner_start;
        inner_.clear();
        rest.remove_prefix(1);
    }
}

void FrameDecoder::after_end(std::string_view& rest, std::vector<FrameEvent>& events) {
    const char next = rest.front();
    if (next == kCarriageReturn) {
        rest.remove_prefix(1);
        end(events, true);
        return;
    }
    if (next == kStartBlock || next == '\n') {
        // The frame ended without its 0D. What follows stays where it is: a neighbour or a line
        // feed.
        if (policy_ == FramingPolicy::strict) {
            blame(FrameFault::missing_cr);
        }
        end(events, true);
        return;
    }
    if (policy_ == FramingPolicy::strict || next == 'M') {
        // A header straight after 1C may be a second message that lost its 0B; never merge the two.
        blame(FrameFault::embedded_end);
    }
    keep(std::string_view{&kEndBlock, 1});
    state_ = State::inside;
}

void FrameDecoder::inner_start(std::string_view& rest, std::vector<FrameEvent>& events) {
    inner_.push_back(rest.front());
    if (may_become_header(inner_)) {
        rest.remove_prefix(1);
        if (inner_.size() == kHeaderLength) {
            blame(FrameFault::embedded_start);
            end(events, false);
            begin();
            keep(inner_);
        }
        return;
    }
    // No header: the 0B belongs to this frame's broken content. The last byte is looked at again.
    inner_.pop_back();
    blame(FrameFault::embedded_start);
    keep(std::string_view{&kStartBlock, 1});
    keep(inner_);
    state_ = State::inside;
}

void FrameDecoder::keep(std::string_view bytes) {
    size_ += bytes.size();
    if (size_ > limits_.max_frame_bytes && fault_ != FrameFault::too_large) {
        faulty_ = true;
        fault_ = FrameFault::too_large;
    }
    if (faulty_) {
        if (payload_.size() > limits_.kept_bytes) {
            payload_.resize(limits_.kept_bytes);
            payload_.shrink_to_fit();
        }
        bytes = bytes.substr(0, limits_.kept_bytes - payload_.size());
    }
    payload_.append(bytes);
}

void FrameDecoder::blame(FrameFault fault) {
    if (!faulty_) {
        faulty_ = true;
        fault_ = fault;
    }
}

void FrameDecoder::begin() {
    state_ = State::inside;
    payload_ = {};
    size_ = 0;
    faulty_ = false;
    fault_ = FrameFault::cut;
}

void FrameDecoder::end(std::vector<FrameEvent>& events, bool end_seen) {
    if (faulty_) {
        payload_.resize(std::min(payload_.size(), limits_.kept_bytes));
    }
    events.push_back({.kind = faulty_ ? FrameEvent::Kind::malformed : FrameEvent::Kind::frame,
                      .bytes = std::move(payload_),
                      .size = size_,
                      .fault = fault_,
                      .answerable = faulty_ && end_seen});
    begin();
    state_ = State::outside;
}

void FrameDecoder::flush_junk(std::vector<FrameEvent>& events) {
    if (junk_ > 0) {
        events.push_back({.kind = FrameEvent::Kind::junk, .bytes = {}, .size = junk_});
        junk_ = 0;
    }
}

std::string encode_frame(std::string_view payload) {
    std::string frame;
    frame.reserve(payload.size() + 3);
    frame += kStartBlock;
    frame += payload;
    frame += kEndBlock;
    frame += kCarriageReturn;
    return frame;
}

}  // namespace gantry::hl7
