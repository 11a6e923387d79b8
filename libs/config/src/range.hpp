#pragma once

#include "gantry/config/binder.hpp"

#include <string>

namespace gantry::config {

/// The bounds of a number in its own unit, `from 100ms to 1m`; empty if there are none.
std::string range_text(const Setting& setting);

}  // namespace gantry::config
