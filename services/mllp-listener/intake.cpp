#include "intake.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/base/ensure.hpp"
#include "gantry/hl7/acknowledgement.hpp"
#include "gantry/hl7/message.hpp"
#include "gantry/tracing/trace.hpp"

#include <algorithm>

namespace gantry::mllp {
namespace {

// PostgreSQL's index rows are bounded, so a longer sender is known by its hash.
constexpr std::size_t kMaxSender = 512;
// Its fields are kept and answered beside the message, so they have to be small. Real ones are.
constexpr std::size_t kMaxHeader = std::size_t{8} << 10U;
constexpr std::size_t kMaxText = 200;
constexpr std::size_t kMaxQuarantined = std::size_t{64} << 10U;

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

std::string upper(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return result;
}

bool is_plain(std::string_view text) {
    return text.size() <= kMaxText && is_utf8(text) && std::ranges::none_of(text, [](char c) {
               return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
           });
}

// Text for a text column: the value itself, or the beginning of its hash where that is not text.
std::string as_text(std::string_view field, const hl7::Delimiters& delimiters,
                    hl7::Charset charset) {
    const auto decoded = hl7::decode(hl7::unescape(field, delimiters), charset);
    return is_plain(decoded.text) ? decoded.text : "#" + hex_encode(sha256(field).substr(0, 8));
}

std::string_view first_component(std::string_view field, const hl7::Delimiters& delimiters) {
    field = field.substr(0, field.find(delimiters.component));
    return field == "\"\"" ? std::string_view{} : field;
}

hl7::AckIdentity identity(const Clock& clock) {
    const auto now = clock.now();
    return {.control_id = hl7::make_control_id(now), .time = now};
}

Quarantined make_quarantined(std::string bytes, std::uint64_t size, std::string reason,
                             std::string_view peer, Instant now) {
    if (bytes.size() > kMaxQuarantined) {
        bytes.resize(kMaxQuarantined);
    }
    return {.id = Uuid::v7(now),
            .received_at = now,
            .peer = std::string(peer),
            .reason = std::move(reason),
            .size = size,
            .bytes = std::move(bytes)};
}

// The answer that MSH-15 and MSH-16 ask for, if any.
void give_answer(const hl7::Header& header, const std::vector<hl7::Fault>& faults,
                 const Clock& clock, Decision& decision) {
    if (const auto code = hl7::ack_code(header, faults)) {
        decision.answer = {Answer::Kind::bytes,
                           hl7::build_ack(header, *code, faults, identity(clock))};
        decision.answer_code = hl7::to_string(*code);
    }
}

hl7::Fault broken_frame(hl7::FrameFault broken) {
    hl7::Fault fault;
    if (broken == hl7::FrameFault::too_large) {
        fault.text = "the message is larger than this listener takes";
    } else {
        fault.code = hl7::ErrorCode::segment_sequence;
        fault.text = "the MLLP frame is malformed: " + std::string(hl7::to_string(broken));
    }
    return fault;
}

}  // namespace

Intake::Intake(const Options& options, std::string topic_prefix, const Clock& clock)
    : default_charset_(options.default_charset()),
      topic_prefix_(std::move(topic_prefix)),
      clock_(&clock) {
    rules_.message_types = options.accept;
    rules_.processing_ids.clear();
    for (const auto& id : options.processing_ids) {
        rules_.processing_ids += id;
    }
    for (const auto& topic : options.topics) {
        topics_.insert(upper(topic));
    }
    order_messages_.insert(options.order_messages.begin(), options.order_messages.end());
}

Decision Intake::read(hl7::FrameEvent event, std::string_view peer) const {
    return event.kind == hl7::FrameEvent::Kind::frame ? read_frame(std::move(event.bytes), peer)
                                                      : read_malformed(std::move(event), peer);
}

Decision Intake::read_frame(std::string bytes, std::string_view peer) const {
    Decision decision;
    const auto message = hl7::Message::parse(bytes);
    const auto unreadable = [&](std::string_view text, std::string reason) {
        decision.answer = {Answer::Kind::bytes, hl7::build_unreadable_ack(text, identity(*clock_))};
        decision.answer_code = "AR";
        const auto size = bytes.size();
        decision.quarantine =
            make_quarantined(std::move(bytes), size, std::move(reason), peer, clock_->now());
    };
    if (!message) {
        unreadable(message.error().message, lower(message.error().reason));
        return decision;
    }
    if ((*message->segments().begin()).bytes().size() > kMaxHeader) {
        unreadable("MSH is too long", "msh_too_long");
        return decision;
    }
    const auto header = hl7::Header::of(*message);
    const auto faults = hl7::check_header(header, rules_);
    if (!faults.empty()) {
        give_answer(header, faults, *clock_, decision);
        const auto size = bytes.size();
        decision.quarantine =
            make_quarantined(std::move(bytes), size, "unacceptable_header", peer, clock_->now());
        return decision;
    }
    auto described = describe(header, peer);
    described.sha256 = sha256(bytes);
    if (const auto code = hl7::ack_code(header, {})) {
        described.ack_code = hl7::to_string(*code);
        described.ack = hl7::build_ack(header, *code, {}, identity(*clock_));
    }
    const auto charset = hl7::charset_of(header.character_set, default_charset_);
    described.undecodable =
        charset == hl7::Charset::other || (charset != hl7::Charset::latin1 && !is_utf8(bytes));
    described.raw = std::move(bytes);
    decision.message = std::move(described);
    return decision;
}

Decision Intake::read_malformed(hl7::FrameEvent event, std::string_view peer) const {
    Decision decision;
    if (event.answerable) {
        // The sender finished its frame and waits. Where its header can be read it is told.
        if (const auto message = hl7::Message::parse(event.bytes)) {
            give_answer(hl7::Header::of(*message), {broken_frame(event.fault)}, *clock_, decision);
        } else {
            decision.answer = {
                Answer::Kind::bytes,
                hl7::build_unreadable_ack(broken_frame(event.fault).text, identity(*clock_))};
            decision.answer_code = "AR";
        }
    }
    decision.quarantine =
        make_quarantined(std::move(event.bytes), event.size,
                         std::string(hl7::to_string(event.fault)), peer, clock_->now());
    return decision;
}

NewMessage Intake::describe(const hl7::Header& header, std::string_view peer) const {
    NewMessage message;
    message.received_at = clock_->now();
    message.id = Uuid::v7(message.received_at);
    message.peer = peer;
    message.sender = header.sending_application;
    message.sender += '|';
    message.sender += header.sending_facility;
    if (message.sender.size() > kMaxSender) {
        message.sender = sha256(message.sender);
    }
    message.control_id = header.control_id;
    message.message_type = header.message_type;
    message.message_code = header.message_code;
    message.trigger_event =
        header.trigger_event == "\"\"" ? std::string_view{} : header.trigger_event;
    message.sending_application = header.sending_application;
    message.sending_facility = header.sending_facility;
    message.receiving_application = header.receiving_application;
    message.receiving_facility = header.receiving_facility;
    message.processing_id = header.processing;
    message.version = header.version;
    if (is_plain(header.character_set)) {
        message.charset = header.character_set;
    }
    route(header, message);
    return message;
}

void Intake::route(const hl7::Header& header, NewMessage& message) const {
    const auto charset = hl7::charset_of(header.character_set, default_charset_);
    const auto& delimiters = header.delimiters;
    message.facility =
        as_text(first_component(header.sending_facility, delimiters), delimiters, charset);
    const auto application =
        as_text(first_component(header.sending_application, delimiters), delimiters, charset);
    message.event_key = message.facility + '|' + application;

    const auto code = lower(message.message_code);
    message.topic = topic_prefix_ + ".hl7." +
                    (topics_.contains(upper(message.message_code)) ? code : std::string("other"));
    message.event_type = "hl7." + code;
    auto type = message.message_code;
    if (!message.trigger_event.empty()) {
        message.event_type += '_' + lower(message.trigger_event);
        type += '^' + message.trigger_event;
    }
    message.makes_order = order_messages_.contains(type);
    message.traceparent = tracing::start_trace().traceparent();
}

Decision Intake::refuse(const NewMessage& message) const {
    Decision decision;
    const auto parsed = hl7::Message::parse(message.raw);
    if (!parsed) {
        return decision;  // cannot be: it was parsed before
    }
    hl7::Fault fault;
    fault.text = "the message cannot be stored";
    fault.in_content = true;
    give_answer(hl7::Header::of(*parsed), {fault}, *clock_, decision);
    return decision;
}

NewMessage Intake::sample() const {
    const std::string type = order_messages_.empty() ? "ACK" : *order_messages_.begin();
    std::string bytes = "MSH|^~\\&|GANTRY|GANTRY|||||" + type + '|' +
                        hl7::make_control_id(clock_->now()) + "|P|2.5\r";
    const auto parsed = hl7::Message::parse(bytes);
    ENSURE(parsed.has_value(), "the sample is a message");
    auto message = describe(hl7::Header::of(*parsed), "-");
    message.sha256 = sha256(bytes);
    message.raw = std::move(bytes);
    return message;
}

Quarantined Intake::quarantine(const NewMessage& message) {
    return make_quarantined(message.raw, message.raw.size(), "not_storable", message.peer,
                            message.received_at);
}

std::string_view Intake::code_label(std::string_view message_code) const {
    const auto found = topics_.find(message_code);
    return found == topics_.end() ? std::string_view("other") : std::string_view(*found);
}

}  // namespace gantry::mllp
