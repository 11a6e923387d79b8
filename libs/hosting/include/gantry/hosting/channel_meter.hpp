#pragma once

#include "gantry/channel/meter.hpp"
#include "gantry/metrics/registry.hpp"

#include <memory>
#include <string>

namespace gantry::hosting {

/// A meter that shows a channel in `metrics`, with `channel` as its label:
///
/// | metric | meaning |
/// |---|---|
/// | `gantry_channel_depth` | items inside, read at each scrape |
/// | `gantry_channel_capacity` | places; +Inf without a bound |
/// | `gantry_channel_wait_seconds` | how long items were inside, of a sample of them |
/// | `gantry_channel_write_wait_seconds` | how long writes waited that found no room |
/// | `gantry_channel_dropped_total` | items that a full channel dropped |
///
/// `metrics` outlives the channel. One channel at a time uses the meter:
/// `channel::Channel<Job> jobs({.meter = channel_meter(context.metrics, "jobs")});`
std::shared_ptr<channel::Meter> channel_meter(metrics::Registry& metrics, std::string channel);

}  // namespace gantry::hosting
