// Any text either is refused with a fault that names a field, or is a schedule whose fires are
// strictly increasing, are found again from one second before, and are the previous fire of the
// second after.
#include "gantry/base/ensure.hpp"
#include "gantry/cron/schedule.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using gantry::Instant;
using gantry::cron::Dialect;
using gantry::cron::Schedule;
using gantry::cron::TimeZone;
using std::chrono::seconds;

const std::array<TimeZone, 4>& zones() {
    static const std::array<TimeZone, 4> all{
        TimeZone::utc(), TimeZone::load("America/New_York").value(),
        TimeZone::load("Pacific/Apia").value(), TimeZone::load("Australia/Lord_Howe").value()};
    return all;
}

void check(const Schedule& schedule, const TimeZone& zone, Instant from) {
    constexpr int kFires = 8;
    auto now = from;
    for (int i = 0; i < kFires; ++i) {
        const auto next = schedule.next_after(now, zone);
        if (!next) {
            return;
        }
        ENSURE(*next > now, "a fire is strictly later");
        ENSURE(schedule.next_after(*next - seconds{1}, zone) == next,
               "a fire is found from just before");
        ENSURE(schedule.previous_before(*next + seconds{1}, zone) == next,
               "a fire precedes the next second");
        now = *next;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 4) {
        return 0;
    }
    const auto& zone = zones()[data[0] % zones().size()];
    const auto dialect = static_cast<Dialect>(data[1] % 3);
    // Any second from 1970 to about 2106, in steps that reach all of it with two bytes.
    const auto from = Instant{seconds{(data[2] << 8 | data[3]) * 65'537LL}};
    const std::string_view text{reinterpret_cast<const char*>(data) + 4, size - 4};

    const auto schedule = Schedule::parse(text, dialect);
    if (!schedule) {
        ENSURE(schedule.error().code == gantry::Code::invalid_argument, "a fault is the caller's");
        ENSURE(schedule.error().fields.size() == 1, "a fault names its field");
        ENSURE(schedule.error().message.size() < 400, "a fault is short");
        return 0;
    }
    ENSURE(!schedule->describe().empty(), "every schedule can be described");
    const auto again = Schedule::parse(schedule->text(), dialect);
    ENSURE(again && *again == *schedule, "the text reads back");
    check(*schedule, zone, from);
    return 0;
}
