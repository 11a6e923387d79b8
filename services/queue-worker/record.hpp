#pragma once

#include "gantry/base/result.hpp"
#include "gantry/jobs/dispatch.hpp"
#include "gantry/jobs/intake.hpp"
#include "gantry/kafka/record.hpp"

#include <string>
#include <string_view>
#include <variant>

namespace gantry::worker {

/// The `ce_type` of wake-ups, which only the outbox relay sends.
inline constexpr std::string_view kWakeupType = "io.gantry.job.wakeup";

/// What a record on a jobs topic is: a wake-up, a producer's own event, or nothing usable.
using Reading = std::variant<jobs::Wakeup, jobs::ExternalEvent, jobs::BrokenRecord>;

/// Reads a record of the topic of `queue`. CloudEvents come in binary mode (attributes in `ce_`
/// headers, the value is the data) or structured mode (content type
/// `application/cloudevents+json`). Source of the rules: CloudEvents Kafka protocol binding 1.0.2.
Reading read_record(const kafka::Message& record, const std::string& queue);

}  // namespace gantry::worker
