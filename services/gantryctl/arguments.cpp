#include "arguments.hpp"

#include "gantry/base/time.hpp"
#include "gantry/base/units.hpp"

#include <CLI/CLI.hpp>

namespace gantry::ctl {

Result<Instant> parse_moment(std::string_view text, Instant now) {
    if (const auto at = parse_rfc3339(text)) {
        return *at;
    }
    if (const auto ago = parse_duration(text); ago && ago->count() >= 0) {
        return now - *ago;
    }
    return fail(
        Code::invalid_argument,
        "must be RFC 3339 such as 2026-01-31T02:00:00Z, or how long ago, such as 30m or 2h");
}

CLI::Option* add_moment(CLI::App& command, const std::string& name, std::optional<Instant>& into,
                        const std::string& help, const Clock& clock) {
    return command
        .add_option_function<std::string>(
            name,
            [name, &into, &clock](const std::string& text) {
                const auto at = parse_moment(text, clock.now());
                if (!at) {
                    throw CLI::ValidationError(name, at.error().message);
                }
                into = *at;
            },
            help)
        ->type_name("TIME");
}

CLI::Option* add_duration(CLI::App& command, const std::string& name, milliseconds& into,
                          const std::string& help) {
    return command
        .add_option_function<std::string>(
            name,
            [name, &into](const std::string& text) {
                const auto duration = parse_duration(text);
                if (!duration || duration->count() <= 0) {
                    throw CLI::ValidationError(
                        name, "must be a duration above 0 such as 500ms, 10s or 5m");
                }
                into = *duration;
            },
            help)
        ->type_name("DURATION");
}

std::string examples(std::initializer_list<std::string_view> lines) {
    std::string text = "Examples:";
    for (const auto line : lines) {
        text += "\n  ";
        text += line;
    }
    return text;
}

}  // namespace gantry::ctl
