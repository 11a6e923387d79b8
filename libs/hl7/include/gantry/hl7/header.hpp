#pragma once

#include "gantry/hl7/message.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gantry::hl7 {

/// The fields of MSH that a listener needs, as received. Views of the message's bytes.
struct Header {
    Delimiters delimiters;
    std::string_view encoding_characters;          ///< MSH-2
    std::string_view sending_application;          ///< MSH-3
    std::string_view sending_facility;             ///< MSH-4
    std::string_view receiving_application;        ///< MSH-5
    std::string_view receiving_facility;           ///< MSH-6
    std::string_view message_type;                 ///< MSH-9
    std::string_view message_code;                 ///< MSH-9.1
    std::string_view trigger_event;                ///< MSH-9.2
    std::string_view control_id;                   ///< MSH-10
    std::string_view processing;                   ///< MSH-11
    std::string_view version_field;                ///< MSH-12
    std::string_view version;                      ///< MSH-12.1
    std::string_view accept_acknowledgement;       ///< MSH-15
    std::string_view application_acknowledgement;  ///< MSH-16
    std::string_view character_set;                ///< MSH-18

    /// Reads MSH in one pass.
    static Header of(const Message& message);

    /// True from HL7 `major.minor`. False where MSH-12 is not a version.
    [[nodiscard]] bool version_at_least(int major, int minor) const;
};

/// Error conditions of HL7 table 0357.
enum class ErrorCode {
    segment_sequence = 100,
    required_field_missing = 101,
    data_type = 102,
    table_value_not_found = 103,
    unsupported_message_type = 200,
    unsupported_event = 201,
    unsupported_processing_id = 202,
    unsupported_version = 203,
    unknown_key = 204,
    duplicate_key = 205,
    record_locked = 206,
    internal_error = 207,
};

/// Table 0357's words for `code`.
std::string_view to_string(ErrorCode code);

/// One thing that is wrong with a message. It says where, never what stood there.
struct Fault {
    ErrorCode code = ErrorCode::internal_error;
    std::string segment;      ///< For example "MSH"; empty if no place can be named.
    unsigned field = 0;       ///< 0: the whole segment.
    unsigned component = 0;   ///< 0: the whole field.
    std::string text;         ///< One line for the sender's operator; no payload.
    bool in_content = false;  ///< The body is at fault, though no place in it can be named.

    /// MSH-9, 11 or 12 is at fault, or nothing in the message is: a rejection, not an error.
    [[nodiscard]] bool rejects() const;
};

/// What a listener accepts. Empty lists accept everything.
struct HeaderRules {
    std::vector<std::string> message_types;  ///< `ORM^O01` or `ORM`.
    std::string processing_ids = "PTD";      ///< Accepted letters of MSH-11.1.
};

/// The longest MSH-10 (HL7 v2.9: 199 characters).
inline constexpr std::size_t kMaxControlId = 199;

/// Every fault of MSH-9, 10, 11 and 12.
std::vector<Fault> check_header(const Header& header, const HeaderRules& rules);

}  // namespace gantry::hl7
