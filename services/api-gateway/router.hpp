#pragma once

#include "gantry/base/result.hpp"
#include "path_template.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::gateway {

/// Finds the route of a request. Immutable once built, then thread-safe.
///
/// Where several templates match, a literal segment wins over `*`, and `*` over `**`, decided from
/// the left; a template with the request's verb wins over one that takes the verb as part of its
/// last segment.
class Router {
public:
    struct Match {
        enum class Kind { found, no_path, no_method };
        Kind kind = Kind::no_path;
        std::size_t route = 0;               ///< `found`: what `add` was given.
        std::vector<std::string> variables;  ///< `found`: decoded, in the template's order.
        std::string allow;                   ///< `no_method`: the methods of this path.
    };

    Router();
    ~Router();
    Router(Router&&) noexcept;
    Router& operator=(Router&&) noexcept;

    /// `already_exists` if another route has this method and the same template but for the names of
    /// its variables: no request could tell them apart.
    Result<void> add(std::string_view method, const PathTemplate& path, std::size_t route);

    /// `path` as on the wire, without the query. HEAD finds routes of GET. `invalid_argument` for a
    /// path with a broken escape.
    [[nodiscard]] Result<Match> match(std::string_view method, std::string_view path) const;

private:
    struct Node;
    struct Leaf;
    struct Search;
    std::unique_ptr<Node> root_;
};

}  // namespace gantry::gateway
