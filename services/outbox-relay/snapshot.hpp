#pragma once

#include "gantry/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::relay {

/// A `pg_snapshot`: which transactions were committed at a moment. A value.
struct Snapshot {
    std::uint64_t xmin = 0;
    std::uint64_t xmax = 0;
    std::vector<std::uint64_t> in_progress;  ///< Ascending.

    /// Reads PostgreSQL's text form, `xmin:xmax:xip,xip,…`.
    static Result<Snapshot> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;

    /// Whether the snapshot sees the transaction, as `pg_visible_in_snapshot` says it.
    [[nodiscard]] bool sees(std::uint64_t xid) const;

    /// The transactions in progress as an array literal, `{7,9}`.
    [[nodiscard]] std::string in_progress_array() const;

    friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

}  // namespace gantry::relay
