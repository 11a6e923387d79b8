#pragma once

#include <string>

namespace gantry::conformance {

struct Answer {
    int status = 0;  ///< 0 if there was no answer within five seconds.
    std::string body;
};

/// The answer of the server at `address` (`ip:port`) to a GET of `path`.
Answer get(const std::string& address, const std::string& path);

}  // namespace gantry::conformance
