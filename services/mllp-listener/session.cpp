#include "session.hpp"

#include "gantry/base/ensure.hpp"

#include <utility>

namespace gantry::mllp {

Session::Session(const Limits& limits, SteadyTime now)
    : limits_(&limits),
      decoder_(limits.framing, limits.frame),
      active_(now),
      last_byte_(now),
      frame_started_(now),
      progressed_(now) {}

void Session::received(std::string_view bytes, SteadyTime now) {
    if (no_more_bytes_ || closing_) {
        return;
    }
    const bool was_in_frame = decoder_.in_frame();
    std::vector<hl7::FrameEvent> events;
    decoder_.push(bytes, events);
    last_byte_ = now;
    if (decoder_.in_frame() && (!was_in_frame || !events.empty())) {
        frame_started_ = now;
    }
    const bool ended_one = !events.empty();
    sort_in(events, now);
    if (draining_ && (ended_one || !decoder_.in_frame())) {
        // The frame that was being read is whole. What follows in the same bytes is a frame that
        // the peer has to send again, to another process.
        no_more_bytes_ = true;
    }
}

void Session::peer_closed(SteadyTime now) {
    if (!no_more_bytes_) {
        std::vector<hl7::FrameEvent> events;
        decoder_.finish(events);
        sort_in(events, now);
        no_more_bytes_ = true;
    }
}

void Session::sort_in(std::vector<hl7::FrameEvent>& events, SteadyTime now) {
    for (auto& event : events) {
        if (event.kind == hl7::FrameEvent::Kind::junk) {
            junk_ += event.size;
            continue;
        }
        active_ = now;
        inbox_bytes_ += event.bytes.size();
        inbox_.push_back(std::move(event));
    }
}

std::optional<Session::Arrival> Session::next(SteadyTime now) {
    if (!has_next()) {
        return std::nullopt;
    }
    Arrival arrival{.sequence = first_slot_ + slots_.size(), .event = std::move(inbox_.front())};
    inbox_.pop_front();
    inbox_bytes_ -= arrival.event.bytes.size();
    slots_.push_back({.since = now, .answer = std::nullopt});
    return arrival;
}

void Session::answer(std::uint64_t sequence, Answer answer, SteadyTime now) {
    if (closing_) {
        return;
    }
    ENSURE(sequence >= first_slot_ && sequence - first_slot_ < slots_.size(),
           "an answer to no arrival");
    slots_[sequence - first_slot_].answer = std::move(answer);
    while (!slots_.empty() && slots_.front().answer) {
        const auto& ready = *slots_.front().answer;
        active_ = now;
        if (ready.kind == Answer::Kind::close) {
            give_up();
            return;
        }
        if (ready.kind == Answer::Kind::bytes) {
            if (output_.empty() && !sending_) {
                progressed_ = now;
            }
            output_ += hl7::encode_frame(ready.bytes);
        }
        slots_.pop_front();
        ++first_slot_;
    }
}

// Nothing further is answered.
void Session::give_up() {
    closing_ = true;
    slots_.clear();
    inbox_.clear();
    inbox_bytes_ = 0;
}

std::string Session::take_output() {
    sending_ = !output_.empty();
    return std::exchange(output_, {});
}

void Session::sent(SteadyTime now) {
    sending_ = false;
    progressed_ = now;
    active_ = now;
}

bool Session::wants_bytes() const {
    // A peer that reads no answers is read no further: what it is owed stays small.
    return !no_more_bytes_ && !closing_ && inbox_.empty() &&
           slots_.size() < limits_->max_in_flight && !(sending_ && !output_.empty());
}

bool Session::done() const {
    if (sending_ || !output_.empty()) {
        return false;
    }
    return closing_ || (no_more_bytes_ && inbox_.empty() && slots_.empty());
}

void Session::drain() {
    draining_ = true;
    if (!decoder_.in_frame()) {
        no_more_bytes_ = true;
    }
}

Session::Expiry Session::tick(SteadyTime now, bool held) {
    if ((sending_ || !output_.empty()) && now - progressed_ >= limits_->write_timeout) {
        return Expiry::write;
    }
    if (!slots_.empty() && now - slots_.front().since >= limits_->answer_timeout) {
        give_up();
        return Expiry::answer;
    }
    if (no_more_bytes_ || closing_) {
        return Expiry::none;
    }
    if (decoder_.in_frame()) {
        if (held || !wants_bytes()) {
            // The silence is ours. The limit for the whole frame keeps running.
            last_byte_ = now;
        } else if (now - last_byte_ >= limits_->quiet) {
            std::vector<hl7::FrameEvent> events;
            decoder_.quiet(events);
            sort_in(events, now);
        }
    }
    if (decoder_.in_frame()) {
        if (now - last_byte_ >= limits_->read_timeout ||
            now - frame_started_ >= limits_->frame_timeout) {
            peer_closed(now);
            return Expiry::read;
        }
        return Expiry::none;
    }
    if (limits_->idle_timeout.count() > 0 && inbox_.empty() && slots_.empty() &&
        now - active_ >= limits_->idle_timeout) {
        no_more_bytes_ = true;
        return Expiry::idle;
    }
    return Expiry::none;
}

std::uint64_t Session::take_junk() {
    return std::exchange(junk_, 0);
}

}  // namespace gantry::mllp
