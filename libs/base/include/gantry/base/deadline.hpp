#pragma once

#include "gantry/base/clock.hpp"

#include <algorithm>

namespace gantry {

/// A point in steady time by which something has to be done. A value; thread-safe by copying.
class Deadline {
public:
    /// A deadline `limit` from now on the real clock.
    static Deadline after(SteadyTime::duration limit) { return after(limit, system_clock()); }

    /// A deadline `limit` from now on `clock`.
    static Deadline after(SteadyTime::duration limit, const Clock& clock) {
        return Deadline{clock.steady_now() + limit};
    }

    /// No deadline.
    static Deadline never() { return Deadline{SteadyTime::max()}; }

    explicit Deadline(SteadyTime at) : at_(at) {}

    [[nodiscard]] SteadyTime at() const { return at_; }
    [[nodiscard]] bool is_never() const { return at_ == SteadyTime::max(); }

    [[nodiscard]] bool expired() const { return expired(system_clock()); }
    [[nodiscard]] bool expired(const Clock& clock) const { return clock.steady_now() >= at_; }

    /// What is left, never negative. A day for `never()`, so that it can be passed to waits.
    [[nodiscard]] milliseconds remaining() const { return remaining(system_clock()); }
    [[nodiscard]] milliseconds remaining(const Clock& clock) const {
        if (is_never()) {
            return std::chrono::hours{24};
        }
        const auto left = std::chrono::ceil<milliseconds>(at_ - clock.steady_now());
        return std::max(left, milliseconds{0});
    }

    /// The earlier of this and `other`.
    [[nodiscard]] Deadline earlier(Deadline other) const {
        return Deadline{std::min(at_, other.at_)};
    }

    friend bool operator==(Deadline, Deadline) = default;

private:
    SteadyTime at_;
};

}  // namespace gantry
