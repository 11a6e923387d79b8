#pragma once

#include "gantry/base/clock.hpp"

namespace gantry::scheduler {

/// PostgreSQL's clock as seen from here. Every reply of the server that carries its time corrects
/// the estimate, which otherwise runs with the steady clock: steps of this machine's wall clock do
/// not touch it. Not thread-safe.
class ServerClock {
public:
    explicit ServerClock(const Clock& clock) : clock_(&clock) {}

    /// The server said `server_time` in answer to something sent at `sent`; the answer has just
    /// come.
    void observe(Instant server_time, SteadyTime sent) {
        const auto now = clock_->steady_now();
        const auto middle = sent + (now - sent) / 2;
        at_ = middle;
        server_ = server_time;
        skew_ = server_time + std::chrono::duration_cast<Instant::duration>(now - middle) -
                clock_->now();
    }

    /// The server's time now, as well as it is known.
    [[nodiscard]] Instant now() const { return server_ + (clock_->steady_now() - at_); }

    /// When, on the steady clock, the server's clock will show `server_time`.
    [[nodiscard]] SteadyTime steady_at(Instant server_time) const {
        return at_ + (server_time - server_);
    }

    /// How far the server's clock is ahead of this machine's.
    [[nodiscard]] Instant::duration skew() const { return skew_; }

private:
    const Clock* clock_;
    SteadyTime at_;
    Instant server_;
    Instant::duration skew_{0};
};

}  // namespace gantry::scheduler
