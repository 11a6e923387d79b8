#include "payload.hpp"

#include "gantry/base/time.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <utility>

namespace gantry::scheduler {
namespace {

constexpr std::size_t kLongestTemplate = 64 * 1024;
constexpr std::string_view kAllowedNames =
    "schedule, fire_time, scheduled_local, previous_fire, data_interval_start and "
    "data_interval_end";

std::optional<std::string> value_of(std::string_view name, const FireValues& values) {
    if (name == "schedule") {
        return values.schedule;
    }
    if (name == "fire_time") {
        return format_rfc3339(values.fire_time);
    }
    if (name == "scheduled_local") {
        return values.scheduled_local;
    }
    if (name == "previous_fire") {
        return values.previous_fire ? format_rfc3339(*values.previous_fire) : std::string{};
    }
    if (name == "data_interval_start") {
        return format_rfc3339(values.data_interval_start);
    }
    if (name == "data_interval_end") {
        return format_rfc3339(values.data_interval_end);
    }
    return std::nullopt;
}

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(' ');
    return begin == std::string_view::npos
               ? std::string_view{}
               : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

/// Fills in the values of `text`. None of them needs escaping in JSON: names, digits and `-:.+TZ`.
Result<std::string> filled(std::string_view text, const FireValues& values) {
    std::string out;
    while (true) {
        const auto open = text.find("{{");
        out += text.substr(0, open);
        if (open == std::string_view::npos) {
            return out;
        }
        text.remove_prefix(open + 2);
        const auto close = text.find("}}");
        if (close == std::string_view::npos) {
            return invalid("payload", "has {{ without }}");
        }
        const auto value = value_of(trimmed(text.substr(0, close)), values);
        if (!value) {
            return invalid("payload", "names an unknown value in {{ }}; allowed are " +
                                          std::string(kAllowedNames));
        }
        out += *value;
        text.remove_prefix(close + 2);
    }
}

/// Fills in every string of `node`. Working on strings, not on the text, keeps `{{"a":{}}}` an
/// object.
Result<void> fill(nlohmann::ordered_json& node, const FireValues& values) {
    if (node.is_string()) {
        node = TRY(filled(node.get_ref<const std::string&>(), values));
    } else if (node.is_structured()) {
        for (auto& child : node) {
            TRY(fill(child, values));
        }
    }
    return {};
}

}  // namespace

Result<void> check_template(std::string_view json) {
    if (json.size() > kLongestTemplate) {
        return invalid("payload", "must be at most 64 KiB");
    }
    auto parsed = nlohmann::ordered_json::parse(json, nullptr, false);
    if (parsed.is_discarded()) {
        return invalid("payload", "must be JSON");
    }
    return fill(parsed, FireValues{});
}

std::string render_payload(const std::optional<std::string>& json_template,
                           const FireValues& values) {
    if (!json_template) {
        nlohmann::ordered_json out;
        out["schedule"] = values.schedule;
        out["fireTime"] = format_rfc3339(values.fire_time);
        out["scheduledLocal"] = values.scheduled_local;
        out["previousFire"] = nullptr;
        if (values.previous_fire) {
            out["previousFire"] = format_rfc3339(*values.previous_fire);
        }
        out["dataIntervalStart"] = format_rfc3339(values.data_interval_start);
        out["dataIntervalEnd"] = format_rfc3339(values.data_interval_end);
        return out.dump();
    }
    auto parsed = nlohmann::ordered_json::parse(*json_template, nullptr, false);
    if (parsed.is_discarded() || !fill(parsed, values)) {
        return *json_template;  // checked when the schedule was saved: a later release knows more
                                // values
    }
    return parsed.dump();
}

}  // namespace gantry::scheduler
