#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/jobs/dispatch.hpp"
#include "gantry/jobs/job.hpp"
#include "gantry/postgres/pool.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gantry::jobs {

/// Where a record stands in Kafka.
struct RecordPlace {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
};

/// A CloudEvent that a Kafka producer sent to a jobs topic.
struct ExternalEvent {
    RecordPlace place;
    std::string id;      ///< ce_id.
    std::string source;  ///< ce_source.
    NewJob job;
};

/// A record that cannot become a job.
struct BrokenRecord {
    RecordPlace place;
    std::string reason;  ///< One snake_case word.
    std::string detail;  ///< Which attribute is missing or not allowed. Holds no value of it.
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::vector<std::pair<std::string, std::string>> headers;
};

/// What an event came to.
struct Intake {
    enum class Kind {
        made,       ///< Its job was made, or had been made from this very record: see `wakeup`.
        duplicate,  ///< Another record with this id and source made the job before.
        no_queue,   ///< The topic's queue is not declared.
    };
    Kind kind = Kind::made;
    Wakeup wakeup;
};

/// Makes the jobs of events, each once for its (source, id), in one transaction. The record itself
/// is the job's wake-up, under dispatch 1. The events' jobs must have passed `validate`. Answers in
/// order.
Result<std::vector<Intake>> take_in(postgres::Pool& pool, std::span<const ExternalEvent> events,
                                    Deadline deadline);

/// Publishes broken records to `dead_topic`: the bytes untouched as the value, their place and the
/// reason as headers.
Result<void> bury(postgres::Pool& pool, std::span<const BrokenRecord> records,
                  const std::string& dead_topic, Deadline deadline);

}  // namespace gantry::jobs
