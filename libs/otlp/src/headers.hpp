#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::otlp {

/// Reads `name=value,…`; nothing if a name or a value could not stand in a header.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_headers(
    std::string_view text);

}  // namespace gantry::otlp
