#pragma once

#include "gantry/jobs/handler.hpp"

#include <string>

namespace gantry::orders {

/// Handles `reports.daily`: one row in `orders.daily_report` for the day, and its event.
jobs::Outcome report_daily(jobs::JobContext& context, const std::string& events_topic);

/// The UTC day, `YYYY-MM-DD`, that a report made by this payload is on: the day in which a
/// schedule's data interval begins, else the day before `now`.
Result<std::string> report_day(std::string_view payload, Instant now);

}  // namespace gantry::orders
