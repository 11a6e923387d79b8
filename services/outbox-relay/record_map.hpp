#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"
#include "gantry/kafka/record.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What the outbox holds as Kafka records: CloudEvents in binary mode (CloudEvents Kafka binding
/// 1.0.2). Pure.
namespace gantry::relay {

/// A row of gantry.outbox_message.
struct LedgerRow {
    std::int64_t id = 0;
    Instant created;
    std::string topic;
    std::optional<std::string> key;
    std::string type;
    std::optional<std::string> payload;
    std::string headers;  ///< The JSON text.
    std::optional<std::string> trace;
    std::optional<std::string> subject;
    std::string source;
    std::string content_type;
};

/// A job to be woken: a logical message, or a row of gantry.outbox_wakeup.
struct Wakeup {
    std::string queue;
    std::string job;
    std::int64_t dispatch = 0;
    std::optional<std::string> key;
    std::string xid;
};

/// Reads a logical message with the prefix `gantry`. Any database role can write one, so nothing is
/// trusted: `invalid_argument` for what is no wake-up.
Result<Wakeup> parse_wakeup(std::string_view json);

/// The record of an event. `invalid_argument` if its headers are no flat object of strings.
Result<kafka::Record> to_record(LedgerRow row, std::int64_t epoch);

/// The record of a wake-up, on the topic `<prefix>.jobs.<queue>`.
kafka::Record to_record(const Wakeup& wakeup, Instant committed, std::string_view topic_prefix,
                        std::int64_t epoch);

/// PostgreSQL's text forms.
Result<Instant> parse_timestamptz(std::string_view text);
Result<std::string> parse_bytea(std::string_view text);

}  // namespace gantry::relay
