#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/hl7/framing.hpp"
#include "gantry/hl7/header.hpp"
#include "message_store.hpp"
#include "options.hpp"
#include "session.hpp"

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace gantry::mllp {

/// What is to be done with a frame.
struct Decision {
    /// Store it; the answer is its `ack`, after the commit.
    std::optional<NewMessage> message;
    /// Keep it for an operator; `answer` can be given at once.
    std::optional<Quarantined> quarantine;
    Answer answer;
    /// The code that `answer` gives, for example "AR"; empty if it gives none.
    std::string_view answer_code;
};

/// Reads frames: checks the header, names topic, key and job, and writes the answer. Pure but for
/// the clock and the random parts of ids; thread-safe.
class Intake {
public:
    Intake(const Options& options, std::string topic_prefix, const Clock& clock);

    /// `peer` is `ip:port`.
    [[nodiscard]] Decision read(hl7::FrameEvent event, std::string_view peer) const;

    /// The answer to a message that the store refused although its header was fine: AE or CE 207.
    [[nodiscard]] Decision refuse(const NewMessage& message) const;

    /// The message as a quarantine entry, for the same case.
    [[nodiscard]] static Quarantined quarantine(const NewMessage& message);

    /// A message of our own, of the kind for which most is written, to try the store with.
    [[nodiscard]] NewMessage sample() const;

    /// The code as a metric label: itself if it has a topic of its own, else "other".
    [[nodiscard]] std::string_view code_label(std::string_view message_code) const;

private:
    Decision read_frame(std::string bytes, std::string_view peer) const;
    Decision read_malformed(hl7::FrameEvent event, std::string_view peer) const;
    NewMessage describe(const hl7::Header& header, std::string_view peer) const;
    void route(const hl7::Header& header, NewMessage& message) const;

    // Constant after construction.
    hl7::Charset default_charset_;
    hl7::HeaderRules rules_;
    std::set<std::string, std::less<>> topics_;
    std::set<std::string, std::less<>> order_messages_;
    std::string topic_prefix_;
    const Clock* clock_;
};

}  // namespace gantry::mllp
