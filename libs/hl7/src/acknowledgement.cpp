#include "gantry/hl7/acknowledgement.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/base/time.hpp"
#include "gantry/base/uuid.hpp"

#include <algorithm>

namespace gantry::hl7 {
namespace {

bool valued(std::string_view field) {
    return !field.empty() && field != "\"\"";
}

// Table 0155: whether a condition asks for an answer.
bool asks(std::string_view condition, bool success) {
    if (condition == "NE") {
        return false;
    }
    if (condition == "ER") {
        return !success;
    }
    return condition != "SU" || success;
}

// `2026-01-31T02:00:00.000Z` → `20260131020000.000+0000`.
std::string timestamp(Instant at) {
    std::string text = format_rfc3339(at);
    std::erase_if(text, [](char c) { return c == '-' || c == ':' || c == 'T' || c == 'Z'; });
    return text + "+0000";
}

// Appends fields of a segment, each after a separator.
class SegmentWriter {
public:
    SegmentWriter(std::string& out, std::string_view name, char separator)
        : out_(out), separator_(separator) {
        out_ += name;
    }
    SegmentWriter& field(std::string_view value) {
        out_ += separator_;
        out_ += value;
        return *this;
    }
    SegmentWriter& skip(int fields) {
        out_.append(static_cast<std::size_t>(fields), separator_);
        return *this;
    }
    void end() {
        const auto last = out_.find_last_not_of(separator_);
        out_.resize(last + 1);
        out_ += '\r';
    }

private:
    std::string& out_;
    char separator_;
};

std::string coded(ErrorCode code, char separator) {
    std::string text = std::to_string(static_cast<int>(code));
    text += separator;
    text += to_string(code);
    text += separator;
    text += "HL70357";
    return text;
}

std::string location(const Fault& fault, const Delimiters& d) {
    std::string text = fault.segment;
    if (text.empty()) {
        return text;
    }
    (text += d.component) += '1';
    if (fault.field > 0) {
        (text += d.component) += std::to_string(fault.field);
    }
    if (fault.component > 0) {
        // ERL: segment, sequence, field, repetition, component.
        ((text += d.component) += '1') += d.component;
        text += std::to_string(fault.component);
    }
    return text;
}

// ELD of ERR-1: segment, sequence, field, and the code as sub-components.
std::string old_location(const Fault& fault, const Delimiters& d) {
    std::string text = fault.segment;
    (text += d.component) += fault.segment.empty() ? "" : "1";
    text += d.component;
    if (fault.field > 0) {
        text += std::to_string(fault.field);
    }
    text += d.component;
    text += d.subcomponent == '\0' ? std::to_string(static_cast<int>(fault.code))
                                   : coded(fault.code, d.subcomponent);
    return text;
}

void write_errors(std::string& out, const Header& header, const std::vector<Fault>& faults) {
    const auto& d = header.delimiters;
    if (faults.empty()) {
        return;
    }
    if (!header.version_at_least(2, 5)) {
        std::string all;
        for (const auto& fault : faults) {
            if (!all.empty()) {
                if (d.repetition == '\0') {
                    break;
                }
                all += d.repetition;
            }
            all += old_location(fault, d);
        }
        SegmentWriter(out, "ERR", d.field).field(all).end();
        return;
    }
    for (const auto& fault : faults) {
        SegmentWriter(out, "ERR", d.field)
            .skip(1)
            .field(location(fault, d))
            .field(coded(fault.code, d.component))
            .field("E")
            .skip(3)
            .field(escape(fault.text, d))
            .end();
    }
}

std::string answer_type(const Header& header) {
    std::string type = "ACK";
    const char separator = header.delimiters.component;
    if (valued(header.trigger_event)) {
        (type += separator) += header.trigger_event;
        if (header.version_at_least(2, 5)) {
            (type += separator) += "ACK";
        }
    }
    return type;
}

}  // namespace

std::string_view to_string(AckCode code) {
    switch (code) {
        case AckCode::aa:
            return "AA";
        case AckCode::ae:
            return "AE";
        case AckCode::ar:
            return "AR";
        case AckCode::ca:
            return "CA";
        case AckCode::ce:
            return "CE";
        case AckCode::cr:
            return "CR";
    }
    return "AE";
}

std::optional<AckCode> ack_code(const Header& header, const std::vector<Fault>& faults) {
    const bool success = faults.empty();
    const bool rejected = std::ranges::any_of(faults, &Fault::rejects);
    const auto original = success ? AckCode::aa : rejected ? AckCode::ar : AckCode::ae;
    const auto enhanced = success ? AckCode::ca : rejected ? AckCode::cr : AckCode::ce;

    const auto accept = header.accept_acknowledgement;
    const auto application = header.application_acknowledgement;
    if (!valued(accept) && !valued(application)) {
        return original;
    }
    if (valued(accept) && accept != "NE") {
        return asks(accept, success) ? std::optional(enhanced) : std::nullopt;
    }
    if (application == "NE" || !valued(application)) {
        return valued(accept) ? std::nullopt : std::optional(enhanced);
    }
    return asks(application, success) ? std::optional(original) : std::nullopt;
}

std::string build_ack(const Header& header, AckCode code, const std::vector<Fault>& faults,
                      const AckIdentity& own) {
    const auto& d = header.delimiters;
    std::string out;
    out.reserve(256 + header.control_id.size());
    SegmentWriter(out, "MSH", d.field)
        .field(header.encoding_characters)
        .field(header.receiving_application)
        .field(header.receiving_facility)
        .field(header.sending_application)
        .field(header.sending_facility)
        .field(timestamp(own.time))
        .skip(1)
        .field(answer_type(header))
        .field(own.control_id)
        .field(valued(header.processing) ? header.processing : "P")
        .field(valued(header.version_field) ? header.version_field : "2.5")
        .skip(5)
        .field(header.character_set)
        .end();
    SegmentWriter msa(out, "MSA", d.field);
    msa.field(to_string(code)).field(header.control_id);
    if (!faults.empty() && !header.version_at_least(2, 5)) {
        msa.field(escape(faults.front().text, d));
    }
    msa.end();
    write_errors(out, header, faults);
    return out;
}

std::string build_unreadable_ack(std::string_view text, const AckIdentity& own) {
    Header header;
    header.encoding_characters = "^~\\&";
    header.processing = "P";
    header.version_field = "2.5";
    header.version = "2.5";
    Fault fault;
    fault.code = ErrorCode::segment_sequence;
    fault.segment = "MSH";
    fault.text = text;
    return build_ack(header, AckCode::ar, {fault}, own);
}

std::string make_control_id(Instant now) {
    const Uuid uuid = Uuid::v7(now);
    const auto& bytes = uuid.bytes();
    std::string id;
    // The six bytes of time, then four that are all random.
    for (const std::size_t i : {0U, 1U, 2U, 3U, 4U, 5U, 10U, 11U, 12U, 13U}) {
        const char byte = static_cast<char>(bytes[i]);
        id += hex_encode(std::string_view{&byte, 1});
    }
    return id;
}

}  // namespace gantry::hl7
