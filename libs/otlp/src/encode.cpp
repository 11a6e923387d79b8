#include "encode.hpp"

#include "gantry/base/encoding.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <type_traits>

namespace gantry::otlp {
namespace {

using Json = nlohmann::json;

Json value_of(const std::variant<std::string, std::int64_t, double, bool>& value) {
    return std::visit(
        [](const auto& held) -> Json {
            using Held = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<Held, std::string>) {
                return {{"stringValue", held}};
            } else if constexpr (std::is_same_v<Held, std::int64_t>) {
                return {{"intValue", std::to_string(held)}};
            } else if constexpr (std::is_same_v<Held, double>) {
                return {{"doubleValue", held}};
            } else {
                return {{"boolValue", held}};
            }
        },
        value);
}

Json attribute(std::string_view key, const auto& value) {
    return {{"key", key}, {"value", value_of(value)}};
}

std::string nanoseconds(Instant at) {
    return std::to_string(
        std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count());
}

Json json_of(const tracing::SpanRecord& span) {
    Json json{{"traceId", span.context.trace_id_hex()},
              {"spanId", span.context.span_id_hex()},
              {"flags", span.context.flags},
              {"name", span.name},
              {"kind", static_cast<int>(span.kind)},
              {"startTimeUnixNano", nanoseconds(span.start)},
              {"endTimeUnixNano", nanoseconds(span.end)}};
    if (std::ranges::any_of(span.parent_id, [](std::uint8_t byte) { return byte != 0; })) {
        json["parentSpanId"] =
            hex_encode(std::string(span.parent_id.begin(), span.parent_id.end()));
    }
    if (!span.context.state.empty()) {
        json["traceState"] = span.context.state;
    }
    if (!span.attributes.empty()) {
        auto& attributes = json["attributes"] = Json::array();
        for (const auto& each : span.attributes) {
            attributes.push_back(attribute(each.key, each.value));
        }
    }
    if (!span.error.empty()) {
        constexpr int kStatusError = 2;
        json["status"] = {{"code", kStatusError}, {"message", span.error}};
    }
    return json;
}

}  // namespace

std::string encode(const Resource& resource, std::span<const tracing::SpanRecord> spans) {
    using Value = std::variant<std::string, std::int64_t, double, bool>;
    Json all = Json::array();
    for (const auto& span : spans) {
        all.push_back(json_of(span));
    }
    const Json attributes =
        Json::array({attribute("service.name", Value(resource.service)),
                     attribute("service.version", Value(resource.version)),
                     attribute("service.instance.id", Value(resource.instance))});
    Json scope_spans;
    scope_spans["scope"] = {{"name", "gantry"}, {"version", resource.version}};
    scope_spans["spans"] = std::move(all);
    Json resource_spans;
    resource_spans["resource"]["attributes"] = attributes;
    resource_spans["scopeSpans"] = Json::array({std::move(scope_spans)});
    Json request;
    request["resourceSpans"] = Json::array({std::move(resource_spans)});
    return request.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace gantry::otlp
