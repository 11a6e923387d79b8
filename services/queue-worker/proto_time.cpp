#include "proto_time.hpp"

#include <google/protobuf/util/time_util.h>

namespace gantry::worker {

using google::protobuf::util::TimeUtil;

google::protobuf::Timestamp to_timestamp(Instant at) {
    return TimeUtil::NanosecondsToTimestamp(
        std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count());
}

Result<Instant> to_instant(const google::protobuf::Timestamp& at, const char* field) {
    constexpr std::int64_t kFirstSecond = -8'520'336'000;  // 1700-01-01
    constexpr std::int64_t kLastSecond = 9'214'646'400;    // 2262-01-01
    if (at.seconds() < kFirstSecond || at.seconds() >= kLastSecond || at.nanos() < 0 ||
        at.nanos() > 999'999'999) {
        return invalid(field, "must be a time from 1700 to 2261");
    }
    return Instant{std::chrono::seconds{at.seconds()} + std::chrono::nanoseconds{at.nanos()}};
}

Result<milliseconds> to_milliseconds(const google::protobuf::Duration& length, const char* field) {
    constexpr std::int64_t kDay = 86'400;
    if (length.seconds() < 0 || length.nanos() < 0 || length.seconds() > kDay ||
        (length.seconds() == kDay && length.nanos() > 0) || length.nanos() > 999'999'999) {
        return invalid(field, "must be more than 0 and at most 24 h, for example \"30s\"");
    }
    return milliseconds{TimeUtil::DurationToMilliseconds(length)};
}

Deadline bounded(Deadline deadline) {
    return deadline.earlier(Deadline::after(milliseconds{10'000}));
}

}  // namespace gantry::worker
