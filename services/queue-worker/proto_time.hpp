#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

namespace gantry::worker {

/// An instant as the API shows it.
google::protobuf::Timestamp to_timestamp(Instant at);

/// `invalid_argument` naming `field` outside of the years 1700 to 2261, which is more than any job
/// may ask for and what a 64-bit count of nanoseconds holds.
Result<Instant> to_instant(const google::protobuf::Timestamp& at, const char* field);

/// `invalid_argument` naming `field` if it is negative or longer than 24 h.
Result<milliseconds> to_milliseconds(const google::protobuf::Duration& length, const char* field);

/// The caller's deadline, or ten seconds if it set none, so that no call waits for ever.
Deadline bounded(Deadline deadline);

}  // namespace gantry::worker
