#pragma once

#include "gantry/base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gantry::gateway {

/// A path template of google.api.http: `/v1/jobs/{id}`, `/v1/{name=shelves/*}/books`,
/// `/v1/{rest=**}`,
/// `/v1/jobs/{id}:cancel`. A value.
struct PathTemplate {
    struct Segment {
        enum class Kind {
            literal,  ///< `text` itself
            any,      ///< `*`: one segment that is not empty
            rest,     ///< `**`: what remains, perhaps nothing; last
        };
        Kind kind = Kind::literal;
        std::string text;
    };
    struct Variable {
        std::string field_path;  ///< Dotted, in the proto's names.
        std::size_t first = 0;   ///< Its first segment.
        std::size_t count = 1;   ///< How many segments its pattern has.
    };

    std::vector<Segment> segments;
    std::vector<Variable> variables;
    std::string verb;  ///< After the last colon; empty if there is none.

    /// Reads a template. `invalid_argument` says where it is malformed.
    static Result<PathTemplate> parse(std::string_view text);
};

/// Decodes `%XX`. `keep_slash` leaves `%2F` alone, for values of several segments.
/// `invalid_argument` for a broken escape or text that is not UTF-8.
enum class Slash { decode, keep };
Result<std::string> percent_decode(std::string_view text, Slash slash = Slash::decode);

}  // namespace gantry::gateway
