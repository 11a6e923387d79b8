#pragma once

#include <span>
#include <string_view>

namespace gantry::migrate {

/// One step of the schema: `migrations/NNNN_name.sql`, put into the binary when it was built.
struct Migration {
    int version;
    std::string_view name;  ///< File name without `.sql`.
    std::string_view sql;
};

/// Every migration of this release, by version from 1 without gaps.
std::span<const Migration> embedded_migrations();

}  // namespace gantry::migrate
