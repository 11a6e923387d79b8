#include "gantry/hl7/header.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace gantry::hl7 {
namespace {

bool missing(std::string_view field) {
    return field.empty() || field == "\"\"";
}

std::string_view component(std::string_view field, char separator, unsigned number) {
    for (; number > 1; --number) {
        const auto at = field.find(separator);
        if (at == std::string_view::npos) {
            return {};
        }
        field.remove_prefix(at + 1);
    }
    return field.substr(0, field.find(separator));
}

// `2.5.1` → {2, 5}; {0, 0} where it is no version.
std::pair<int, int> version_numbers(std::string_view version) {
    std::pair<int, int> numbers{0, 0};
    const char* const end = version.data() + version.size();
    const auto major = std::from_chars(version.data(), end, numbers.first);
    if (major.ec != std::errc{} || major.ptr == end || *major.ptr != '.') {
        return {0, 0};
    }
    const auto minor = std::from_chars(major.ptr + 1, end, numbers.second);
    if (minor.ec != std::errc{} || numbers.first < 0 || numbers.second < 0) {
        return {0, 0};
    }
    const std::string_view rest(minor.ptr, static_cast<std::size_t>(end - minor.ptr));
    const bool patch = rest.size() == 2 && rest[0] == '.' && rest[1] >= '0' && rest[1] <= '9';
    return rest.empty() || patch ? numbers : std::pair{0, 0};
}

// A letter and up to three more letters or digits: what a topic may be named after.
bool is_code(std::string_view text) {
    return !text.empty() && text.size() <= 8 && std::ranges::all_of(text, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '_';
    });
}

enum class TypeMatch { none, code_only, whole };

TypeMatch match(const Header& header, const std::vector<std::string>& accepted) {
    if (accepted.empty()) {
        return TypeMatch::whole;
    }
    auto best = TypeMatch::none;
    for (const std::string_view type : accepted) {
        if (component(type, '^', 1) != header.message_code) {
            continue;
        }
        const auto event = component(type, '^', 2);
        if (event.empty() || event == header.trigger_event) {
            return TypeMatch::whole;
        }
        best = TypeMatch::code_only;
    }
    return best;
}

Fault fault(ErrorCode code, unsigned field, unsigned part, std::string text) {
    return {
        .code = code, .segment = "MSH", .field = field, .component = part, .text = std::move(text)};
}

void check_type(const Header& header, const HeaderRules& rules, std::vector<Fault>& faults) {
    if (missing(header.message_code)) {
        faults.push_back(fault(ErrorCode::required_field_missing, 9, 1, "MSH-9.1 is required"));
    } else if (!is_code(header.message_code)) {
        faults.push_back(
            fault(ErrorCode::unsupported_message_type, 9, 1, "MSH-9.1 is not a message code"));
    } else if (!missing(header.trigger_event) && !is_code(header.trigger_event)) {
        faults.push_back(
            fault(ErrorCode::unsupported_event, 9, 2, "MSH-9.2 is not a trigger event"));
    } else if (const auto found = match(header, rules.message_types); found == TypeMatch::none) {
        faults.push_back(fault(ErrorCode::unsupported_message_type, 9, 1,
                               "this listener does not accept the message type"));
    } else if (found == TypeMatch::code_only) {
        faults.push_back(fault(ErrorCode::unsupported_event, 9, 2,
                               "this listener does not accept the trigger event"));
    }
}

}  // namespace

Header Header::of(const Message& message) {
    Header header;
    header.delimiters = message.delimiters();
    const std::string_view msh = (*message.segments().begin()).bytes();
    const char separator = header.delimiters.field;
    auto rest = msh.substr(std::min<std::size_t>(4, msh.size()));
    std::string_view* const fields[] = {&header.encoding_characters,
                                        &header.sending_application,
                                        &header.sending_facility,
                                        &header.receiving_application,
                                        &header.receiving_facility,
                                        nullptr,
                                        nullptr,
                                        &header.message_type,
                                        &header.control_id,
                                        &header.processing,
                                        &header.version_field,
                                        nullptr,
                                        nullptr,
                                        &header.accept_acknowledgement,
                                        &header.application_acknowledgement,
                                        nullptr,
                                        &header.character_set};
    for (auto* const field : fields) {
        const auto end = rest.find(separator);
        if (field != nullptr) {
            *field = rest.substr(0, end);
        }
        if (end == std::string_view::npos) {
            break;
        }
        rest.remove_prefix(end + 1);
    }
    const auto part = [&](std::string_view field, unsigned number) {
        const auto& d = header.delimiters;
        if (d.repetition != '\0') {
            field = field.substr(0, field.find(d.repetition));
        }
        return component(field, d.component, number);
    };
    header.message_code = part(header.message_type, 1);
    header.trigger_event = part(header.message_type, 2);
    header.version = part(header.version_field, 1);
    return header;
}

bool Header::version_at_least(int major, int minor) const {
    return version_numbers(version) >= std::pair{major, minor};
}

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::segment_sequence:
            return "Segment sequence error";
        case ErrorCode::required_field_missing:
            return "Required field missing";
        case ErrorCode::data_type:
            return "Data type error";
        case ErrorCode::table_value_not_found:
            return "Table value not found";
        case ErrorCode::unsupported_message_type:
            return "Unsupported message type";
        case ErrorCode::unsupported_event:
            return "Unsupported event code";
        case ErrorCode::unsupported_processing_id:
            return "Unsupported processing id";
        case ErrorCode::unsupported_version:
            return "Unsupported version id";
        case ErrorCode::unknown_key:
            return "Unknown key identifier";
        case ErrorCode::duplicate_key:
            return "Duplicate key identifier";
        case ErrorCode::record_locked:
            return "Application record locked";
        case ErrorCode::internal_error:
            return "Application internal error";
    }
    return "Application internal error";
}

bool Fault::rejects() const {
    if (segment.empty()) {
        return !in_content;
    }
    return segment == "MSH" && (field == 0 || field == 9 || field == 11 || field == 12);
}

std::vector<Fault> check_header(const Header& header, const HeaderRules& rules) {
    std::vector<Fault> faults;
    check_type(header, rules, faults);
    if (missing(header.control_id)) {
        faults.push_back(fault(ErrorCode::required_field_missing, 10, 0, "MSH-10 is required"));
    } else if (header.control_id.size() > kMaxControlId) {
        faults.push_back(
            fault(ErrorCode::data_type, 10, 0, "MSH-10 is longer than 199 characters"));
    }
    const auto processing_id = component(header.processing, header.delimiters.component, 1);
    if (missing(processing_id)) {
        faults.push_back(fault(ErrorCode::required_field_missing, 11, 1, "MSH-11 is required"));
    } else if (processing_id.size() != 1 ||
               rules.processing_ids.find(processing_id.front()) == std::string::npos) {
        faults.push_back(fault(ErrorCode::unsupported_processing_id, 11, 1,
                               "this listener does not accept the processing id"));
    }
    if (missing(header.version)) {
        faults.push_back(fault(ErrorCode::required_field_missing, 12, 1, "MSH-12 is required"));
    } else if (!header.version_at_least(2, 0) || header.version_at_least(3, 0)) {
        faults.push_back(
            fault(ErrorCode::unsupported_version, 12, 1, "HL7 versions 2.x are accepted"));
    }
    return faults;
}

}  // namespace gantry::hl7
