#include "headers.hpp"

#include <algorithm>

namespace gantry::otlp {
namespace {

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(' ');
    return first == std::string_view::npos
               ? std::string_view()
               : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

bool is_token(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    });
}

bool is_value(std::string_view value) {
    return std::ranges::all_of(value, [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

std::optional<std::vector<std::pair<std::string, std::string>>> parse_headers(
    std::string_view text) {
    std::vector<std::pair<std::string, std::string>> headers;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const auto member = trimmed(text.substr(0, comma));
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
        const auto equals = member.find('=');
        if (equals == std::string_view::npos) {
            return std::nullopt;
        }
        const auto name = trimmed(member.substr(0, equals));
        const auto value = trimmed(member.substr(equals + 1));
        if (!is_token(name) || !is_value(value)) {
            return std::nullopt;
        }
        headers.emplace_back(name, value);
    }
    return headers;
}

}  // namespace gantry::otlp
