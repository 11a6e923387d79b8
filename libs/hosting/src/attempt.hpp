#pragma once

#include "gantry/base/result.hpp"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace gantry::hosting {

/// An unexpected exception as an error. Only the first line of its text is kept, and not all of a
/// long one: what follows may quote rows or messages.
inline Error error_of(const std::exception& thrown) {
    constexpr std::size_t kLongest = 200;
    std::string text = thrown.what();
    text.resize(std::min({text.find('\n'), text.size(), kLongest}));
    return {Code::internal, "unexpected exception: " + text, "EXCEPTION", {}};
}

/// Calls `body` and turns whatever it throws into an error.
template <class Body>
auto attempt(Body&& body) -> decltype(body()) {
    try {
        return std::forward<Body>(body)();
    } catch (const std::exception& thrown) {
        return std::unexpected(error_of(thrown));
    } catch (...) {
        return fail(Code::internal, "unexpected exception of an unknown type", "EXCEPTION");
    }
}

}  // namespace gantry::hosting
