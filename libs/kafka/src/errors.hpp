#pragma once

#include "gantry/base/result.hpp"

#include <librdkafka/rdkafka.h>

#include <string_view>

namespace gantry::kafka {

/// Kafka's or librdkafka's error as ours; the reason is its name without leading underscores, for
/// example `UNKNOWN_TOPIC_OR_PART`.
Error to_error(rd_kafka_resp_err_t code, std::string_view context);

/// The same from librdkafka's error object.
Error to_error(const rd_kafka_error_t* error, std::string_view context);

/// True where the fault lies in the record or its topic, so that sending it again cannot help.
bool refuses_record(rd_kafka_resp_err_t code);

}  // namespace gantry::kafka
