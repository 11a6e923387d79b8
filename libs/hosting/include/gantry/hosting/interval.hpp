#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

namespace gantry::hosting {

/// How often something is done: a fixed time, or a function that is asked each time because a
/// reload may change it. Thread-safe if the function is.
class Interval {
public:
    /// Implicit, so that a duration may stand where an interval is wanted.
    template <class Rep, class Period>
    Interval(std::chrono::duration<Rep, Period> fixed)  // NOLINT(google-explicit-constructor)
        : fixed_(fixed) {}

    template <class Ask>
        requires std::convertible_to<std::invoke_result_t<Ask&>, std::chrono::milliseconds>
    Interval(Ask ask)  // NOLINT(google-explicit-constructor)
        : ask_(std::move(ask)) {}

    /// The interval as it is now.
    [[nodiscard]] std::chrono::milliseconds now() const { return ask_ ? ask_() : fixed_; }

private:
    std::chrono::milliseconds fixed_{0};
    std::function<std::chrono::milliseconds()> ask_;
};

}  // namespace gantry::hosting
