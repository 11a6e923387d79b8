#pragma once

#include "gantry/tracing/span.hpp"

#include <span>
#include <string>

namespace gantry::otlp {

/// What all spans of a process have in common.
struct Resource {
    std::string service;
    std::string version;
    std::string instance;  ///< Differs between replicas and restarts.
};

/// An ExportTraceServiceRequest in OTLP's JSON encoding: ids in hexadecimal, 64-bit numbers as
/// strings, enumerations as numbers. Malformed UTF-8 is replaced.
std::string encode(const Resource& resource, std::span<const tracing::SpanRecord> spans);

}  // namespace gantry::otlp
