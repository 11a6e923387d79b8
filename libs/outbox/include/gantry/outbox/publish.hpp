#pragma once

#include "gantry/base/result.hpp"
#include "gantry/base/uuid.hpp"
#include "gantry/postgres/connection.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// Writing to the outbox inside a transaction of one's own. outbox-relay carries what commits to
/// Kafka, in order, as often as it takes.
namespace gantry::outbox {

/// A CloudEvent for a Kafka topic. What is allowed is checked by `gantry.publish`, whose errors
/// name the parameter.
struct Event {
    std::string topic = {};                              ///< The full topic name.
    std::optional<std::string> key = {};                 ///< Events of one key keep their order.
    std::string type = {};                               ///< `ce_type`.
    std::optional<std::string> payload = std::string();  ///< At most 1 MiB; nothing: a tombstone.
    std::string content_type = "application/octet-stream";
    std::optional<std::string> subject = {};  ///< `ce_subject`.
    std::string source = "/gantry";           ///< `ce_source`.
    std::map<std::string, std::string> headers =
        {};                        ///< Further headers; `ce_id` replaces the default.
    std::string traceparent = {};  ///< Empty: the calling thread's trace.
};

/// Publishes one event when, and only when, `transaction` commits. Returns its ledger id, which is
/// its `ce_id` unless the headers set one.
Result<std::int64_t> publish(postgres::Transaction& transaction, const Event& event);

/// Publishes many with one statement; their order is the order of `events`. Returns their ids.
Result<std::vector<std::int64_t>> publish_batch(postgres::Transaction& transaction,
                                                std::span<const Event> events);

/// A wake-up of a job, for the fast lane: the job's row is the ledger.
struct Wakeup {
    std::string queue = {};
    Uuid job = {};
    std::int64_t dispatch = 1;            ///< The row's, as it is after this transaction.
    std::optional<std::string> key = {};  ///< The job's key.
};

/// Wakes jobs when, and only when, `transaction` commits. The caller sets `wake_xid =
/// pg_current_xact_id()` on their rows in the same transaction.
Result<void> wake(postgres::Transaction& transaction, std::span<const Wakeup> wakeups);

}  // namespace gantry::outbox
