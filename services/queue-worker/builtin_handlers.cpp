#include "builtin_handlers.hpp"

#include "gantry/base/units.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace gantry::worker {
namespace {

using Json = nlohmann::json;

jobs::Outcome bad_payload(std::string what) {
    return jobs::Outcome::dead(Error{Code::invalid_argument, std::move(what), "BAD_PAYLOAD", {}},
                               "bad_payload");
}

jobs::Outcome echo(jobs::JobContext& context) {
    context.result(std::string(context.payload()), context.content_type());
    return jobs::Outcome::success();
}

jobs::Outcome sleep(jobs::JobContext& context, Clock& clock) {
    constexpr milliseconds kLongest{3'600'000};
    std::string text(context.payload());
    if (text.starts_with('{')) {
        const auto json = Json::parse(text, nullptr, false);
        if (!json.is_object() || !json.contains("duration") || !json["duration"].is_string()) {
            return bad_payload("the payload must be {\"duration\": \"250ms\"}");
        }
        text = json["duration"].get<std::string>();
    }
    const auto duration = parse_duration(text);
    if (!duration || *duration > kLongest) {
        return bad_payload("the duration must be such as 250ms or 30s, at most 1h");
    }
    if (!clock.sleep_for(*duration, context.stop())) {
        return jobs::Outcome::hand_back();
    }
    return jobs::Outcome::success();
}

jobs::Outcome fail_on_purpose(jobs::JobContext& context) {
    std::string message = "failed on purpose";
    int until = 0;
    if (!context.payload().empty()) {
        const auto json = Json::parse(context.payload(), nullptr, false);
        if (!json.is_object() || (json.contains("message") && !json["message"].is_string()) ||
            (json.contains("untilAttempt") && !json["untilAttempt"].is_number_integer())) {
            return bad_payload(
                "the payload must be {\"message\": \"…\", \"untilAttempt\": 3}, or empty");
        }
        message = json.value("message", message);
        until = json.value("untilAttempt", 0);
    }
    if (until > 0 && context.attempt() >= until) {
        return jobs::Outcome::success();
    }
    return jobs::Outcome::retry(Error{Code::internal, std::move(message), "ON_PURPOSE", {}});
}

}  // namespace

void add_builtin_handlers(jobs::Registry& registry, Clock& clock) {
    registry.add("gantry.noop", [](jobs::JobContext&) { return jobs::Outcome::success(); });
    registry.add("gantry.echo", echo);
    registry.add("gantry.sleep",
                 [&clock](jobs::JobContext& context) { return sleep(context, clock); });
    registry.add("gantry.fail", fail_on_purpose);
}

}  // namespace gantry::worker
