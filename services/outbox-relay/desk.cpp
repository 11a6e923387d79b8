#include "desk.hpp"

#include <poll.h>

#include <algorithm>
#include <array>

namespace gantry::relay {
namespace {

constexpr milliseconds kGaugesInterval{5'000};

}  // namespace

Result<TickAnswer> Desk::keep(Tick tick) {
    beat();
    // The lease counts from before the statement was sent.
    const auto before = context.clock.steady_now();
    tick.epoch = epoch;
    tick.lease_ttl = options.relay.lease_ttl;
    const bool progress = tick.checkpoint || tick.cursor;
    auto answer = TRY(store.tick(tick));
    lease_until = before + options.relay.lease_ttl;
    if (progress) {
        stats.stored_progress();
    }
    if (tick.checkpoint && tick.checkpoint->proven) {
        stats.proven(tick.checkpoint->proven->at);
    }
    return answer;
}

Result<void> Desk::check_lease() const {
    if (context.clock.steady_now() >= lease_until) {
        return fail(Code::aborted, "the lease ran out before it was renewed", "FENCED");
    }
    return {};
}

Result<std::unique_ptr<Publisher>> Desk::publisher(Position progress) {
    Publisher::Start start{progress, TRY(store.parked_positions())};
    return Publisher::create(options, context.metrics, context.clock, topics, stats, bell,
                             std::move(start),
                             [this](const std::vector<Refused>& refused) -> Result<void> {
                                 TRY(check_lease());
                                 return store.park(refused, epoch);
                             });
}

void Desk::wait(milliseconds limit, int fd, short events) {
    std::array<pollfd, 2> fds{pollfd{bell.fd(), POLLIN, 0}, pollfd{fd, events, 0}};
    ::poll(fds.data(), fd >= 0 ? 2 : 1,
           static_cast<int>(std::clamp<std::int64_t>(limit.count(), 0, 1'000)));
    bell.clear();
}

void Desk::refresh_gauges(const std::string& slot) {
    const auto now = context.clock.steady_now();
    if (now < next_gauges) {
        return;
    }
    next_gauges = now + kGaugesInterval;
    if (const auto parked = store.parked_count()) {
        stats.set_parked_rows(*parked);
    }
    if (!slot.empty()) {
        if (const auto use = store.wal_use(slot)) {
            stats.set_wal(use->lag_bytes, use->retained_bytes);
        }
    }
}

}  // namespace gantry::relay
