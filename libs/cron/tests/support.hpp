#pragma once

#include "gantry/base/time.hpp"
#include "gantry/cron/schedule.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gantry::cron::testing {

inline Instant at(std::string_view text) {
    return parse_rfc3339(text).value();
}

inline TimeZone zone(std::string_view name) {
    return TimeZone::load(name).value();
}

inline Schedule schedule(std::string_view text, Dialect dialect = Dialect::automatic) {
    return Schedule::parse(text, dialect).value();
}

/// The next `count` fires after `after` as local times with their offset.
inline std::vector<std::string> fires(std::string_view text, std::string_view after,
                                      std::size_t count, const TimeZone& zone = TimeZone::utc()) {
    const auto parsed = schedule(text);
    std::vector<std::string> out;
    auto now = at(after);
    while (out.size() < count) {
        const auto next = parsed.next_after(now, zone);
        if (!next) {
            out.emplace_back("never");
            break;
        }
        out.push_back(zone.format(*next));
        now = *next;
    }
    return out;
}

}  // namespace gantry::cron::testing
