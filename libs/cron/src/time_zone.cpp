#include "gantry/cron/time_zone.hpp"

#include <absl/time/civil_time.h>

#include <algorithm>

namespace gantry::cron {
namespace {

bool is_zone_name(std::string_view name) {
    constexpr std::size_t kLongest = 64;
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '+' || c == '/';
    };
    return !name.empty() && name.size() <= kLongest && name.front() != '/' && name != "localtime" &&
           std::ranges::all_of(name, allowed);
}

}  // namespace

Result<TimeZone> TimeZone::load(std::string_view name) {
    absl::TimeZone zone;
    if (!is_zone_name(name) || !absl::LoadTimeZone(std::string(name), &zone)) {
        return invalid(
            "time_zone",
            "is not in the zone database; allowed are names such as UTC or Europe/Berlin");
    }
    return TimeZone{zone};
}

std::string TimeZone::format(Instant at) const {
    return absl::FormatTime("%Y-%m-%dT%H:%M:%S%Ez", absl::FromChrono(at), zone_);
}

Instant TimeZone::start_of_day(Instant at, int days) const {
    const auto today = absl::CivilDay(zone_.At(absl::FromChrono(at)).cs);
    const auto info = zone_.At(absl::CivilSecond(today + days));
    // Where midnight is skipped the day begins at the transition; where it is repeated, at its
    // first copy.
    const auto start = info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre;
    return Instant{std::chrono::seconds{absl::ToUnixSeconds(start)}};
}

}  // namespace gantry::cron
