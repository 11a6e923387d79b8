#pragma once

#include "gantry/base/result.hpp"

#include <exception>
#include <utility>

namespace gantry::hosting {

/// Where an exception came from, and so what its text may hold.
enum class Thrown {
    by_wiring,  ///< Composition and start: addresses and settings; the text is kept.
    by_work,  ///< Loops and stops: it may quote rows and messages; its type is kept, not its text.
};

/// An unexpected exception as an error.
Error error_of(const std::exception& thrown, Thrown origin);

/// Calls `body` and turns whatever it throws into an error.
template <class Body>
auto attempt(Thrown origin, Body&& body) -> decltype(body()) {
    try {
        return std::forward<Body>(body)();
    } catch (const std::exception& thrown) {
        return std::unexpected(error_of(thrown, origin));
    } catch (...) {
        return fail(Code::internal, "unexpected exception of an unknown type", "EXCEPTION");
    }
}

}  // namespace gantry::hosting
