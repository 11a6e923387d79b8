#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"
#include "gantry/base/uuid.hpp"

#include <span>
#include <string>
#include <vector>

namespace gantry::mllp {

/// A message that was understood, with everything that is written for it.
///
/// What came from the peer is bytes; the fields marked *text* are valid UTF-8 without NUL.
struct NewMessage {
    Uuid id;
    Instant received_at;
    std::string peer;  ///< text: `ip:port`
    std::string raw;
    std::string sha256;      ///< of `raw`, 32 bytes
    std::string sender;      ///< MSH-3|MSH-4, or its hash where that is long
    std::string control_id;  ///< MSH-10
    std::string message_type;
    std::string message_code;   ///< text: MSH-9.1
    std::string trigger_event;  ///< text: MSH-9.2
    std::string sending_application;
    std::string sending_facility;
    std::string receiving_application;
    std::string receiving_facility;
    std::string processing_id;
    std::string facility;  ///< text: MSH-4.1
    std::string version;   ///< text: MSH-12.1
    std::string charset;   ///< text: MSH-18, empty where it is not text
    bool undecodable = false;

    std::string topic;        ///< text
    std::string event_key;    ///< text
    std::string event_type;   ///< text
    std::string traceparent;  ///< text
    bool makes_order = false;

    std::string ack_code;  ///< text: what `ack` says; empty where the sender wants no answer
    std::string ack;       ///< the answer after the commit, unframed; may be empty
};

/// Bytes that were received and are no message.
struct Quarantined {
    Uuid id;
    Instant received_at;
    std::string peer;
    std::string reason;
    std::uint64_t size = 0;  ///< as received
    std::string bytes;       ///< all of it, or the beginning
};

/// What became of a message in a committed transaction.
struct Stored {
    bool duplicate = false;  ///< It had been stored before; nothing new was written.
    std::string ack;         ///< The answer that belongs to it, unframed: the first one's.
};

/// Where messages become durable: the seam between the listener and PostgreSQL. Thread-safe.
class MessageStore {
public:
    virtual ~MessageStore() = default;

    /// Writes message, deduplication row, outbox event and job of each in one transaction, in
    /// order, and commits. All or nothing. Duplicates, inside the batch too, write nothing.
    ///
    /// Errors: transient ones (`Error::transient`) say that the same batch may succeed later;
    /// `unknown` that it may have been committed; any other that something in it, or the store
    /// itself, is at fault: `rehearse` tells which.
    virtual Result<std::vector<Stored>> store(std::span<const NewMessage* const> batch) = 0;

    /// Keeps what is no message for an operator to look at.
    virtual Result<void> quarantine(std::span<const Quarantined* const> batch) = 0;

    /// Does for `sample` all that `store` does, and takes it back: whether the store takes
    /// messages.
    virtual Result<void> rehearse(const NewMessage& sample) = 0;
};

}  // namespace gantry::mllp
