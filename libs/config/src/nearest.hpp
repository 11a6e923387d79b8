#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gantry::config {

/// The candidate that `word` is most likely a misspelling of; empty if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace gantry::config
