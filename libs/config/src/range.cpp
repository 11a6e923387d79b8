#include "range.hpp"

#include <chrono>

namespace gantry::config {
namespace {

std::string number_text(const Setting& setting, std::int64_t value) {
    if (setting.type == "duration") {
        return format_duration(std::chrono::milliseconds{value});
    }
    if (setting.type == "size") {
        return format_size({static_cast<std::uint64_t>(value)});
    }
    return std::to_string(value);
}

}  // namespace

std::string range_text(const Setting& setting) {
    const bool has_least = setting.least != INT64_MIN;
    const bool has_most = setting.most != INT64_MAX;
    if (has_least && has_most) {
        return "from " + number_text(setting, setting.least) + " to " +
               number_text(setting, setting.most);
    }
    if (has_least) {
        return "at least " + number_text(setting, setting.least);
    }
    return has_most ? "at most " + number_text(setting, setting.most) : std::string();
}

}  // namespace gantry::config
