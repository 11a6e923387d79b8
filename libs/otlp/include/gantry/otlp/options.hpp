#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/config/binder.hpp"

#include <string>

namespace gantry::otlp {

/// How spans are sent, bound under `tracing.`.
struct Options {
    std::string endpoint;          ///< A collector's URL; empty: spans are not sent.
    std::string headers;           ///< `name=value,…`, for authentication. Secret.
    double sampling_ratio = 1.0;   ///< Of traces that begin here.
    int queue_capacity = 2'048;    ///< Spans that wait; more are dropped and counted.
    int batch_size = 512;          ///< Most spans of a request.
    milliseconds interval{5'000};  ///< A batch that is not full waits for so long.
    milliseconds timeout{5'000};   ///< For one request.

    void bind(config::Binder& binder);
};

}  // namespace gantry::otlp
