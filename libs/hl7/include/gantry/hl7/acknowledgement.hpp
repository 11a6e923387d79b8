#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/hl7/header.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::hl7 {

/// MSA-1 (HL7 table 0008).
enum class AckCode {
    aa,  ///< original mode: accepted
    ae,  ///< original mode: error
    ar,  ///< original mode: rejected
    ca,  ///< enhanced mode: stored
    ce,  ///< enhanced mode: error
    cr,  ///< enhanced mode: rejected
};

/// "AA", "AE" …
std::string_view to_string(AckCode code);

/// True for AA and CA, which promise that the message is safe.
constexpr bool is_accepted(AckCode code) {
    return code == AckCode::aa || code == AckCode::ca;
}

/// The one immediate answer that a message gets, if it gets one.
///
/// | MSH-15        | MSH-16    | answer |
/// |---------------|-----------|-------------------------------------------------------------------|
/// | empty         | empty     | original mode: AA, AE, AR | | AL, ER, SU    | any       | enhanced
/// mode: CA, CE, CR, where MSH-15's condition holds         | | empty         | NE        |
/// enhanced mode, as if MSH-15 were AL                               | | NE            | NE | none
/// | | empty, NE     | AL,ER,SU  | the application's: AA, AE, AR, where MSH-16's condition holds |
///
/// Gantry never sends a deferred application acknowledgement: what it promises is storage. A value
/// outside table 0155 counts as AL: too many answers are harmless, silence is not.
/// (HL7 v2.9 chapter 2.9.)
std::optional<AckCode> ack_code(const Header& header, const std::vector<Fault>& faults);

/// The parts of an acknowledgement that are ours.
struct AckIdentity {
    std::string control_id;  ///< Our MSH-10, 20 characters at most.
    Instant time;            ///< Our MSH-7.
};

/// The acknowledgement of the message of `header`: MSH with sender and receiver swapped, its
/// delimiters, version, processing id and character set, MSA with the control id byte for byte,
/// and what `faults` say (ERR-1 before 2.5; one ERR with ERR-2, 3, 4 and 8 each from 2.5).
std::string build_ack(const Header& header, AckCode code, const std::vector<Fault>& faults,
                      const AckIdentity& own);

/// The answer to bytes whose MSH cannot be read: AR with default delimiters, an empty MSA-2 and
/// error 100.
std::string build_unreadable_ack(std::string_view text, const AckIdentity& own);

/// A control id of 20 hexadecimal digits for our own messages: the time and 32 random bits.
std::string make_control_id(Instant now);

}  // namespace gantry::hl7
