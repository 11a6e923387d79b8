#include "relay.hpp"

#include "gantry/base/backoff.hpp"
#include "gantry/base/uuid.hpp"
#include "gantry/logging/log.hpp"
#include "polling_reader.hpp"
#include "wal_reader.hpp"

#include <unistd.h>

#include <array>

namespace gantry::relay {
namespace {

constexpr milliseconds kStandbyPoll{1'000};
constexpr Backoff::Limits kBackoff{.base = milliseconds{200}, .cap = milliseconds{5'000}};

/// Unique, for the owner may take its own lease again.
std::string owner_name(const std::string& configured) {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    const auto name = configured.empty()
                          ? std::string(host.data()) + ":" + std::to_string(::getpid())
                          : configured;
    return name + "/" + Uuid::v7().to_string();
}

}  // namespace

Relay::Relay(std::string name, hosting::Context& context, const Options& options,
             TopicDirectory& topics, Stats& stats)
    : BackgroundService(std::move(name), context),
      options_(options),
      topics_(topics),
      stats_(stats),
      readiness_(context.health.reporter("slot", true)),
      owner_(owner_name(options.relay.owner)) {}

Result<void> Relay::execute(std::stop_token stop) {
    const std::stop_callback ring(stop, [this] { bell_.ring(); });
    Backoff backoff(kBackoff);
    while (!stop.stop_requested()) {
        beat();
        const auto started = context().clock.steady_now();
        const auto served = serve(stop);
        stats_.set_standby();
        if (served) {
            continue;
        }
        if (context().clock.steady_now() - started > std::chrono::seconds{10}) {
            backoff.reset();
        }
        if (backoff.failures() == 0) {
            logging::warning("the relay lost its database; it tries again", served.error());
        }
        show_fault(served.error());
        context().clock.sleep_for(backoff.next(), stop);
    }
    return {};
}

Result<void> Relay::serve(const std::stop_token& stop) {
    auto store = TRY(Store::open(options_.postgres));
    while (!stop.stop_requested()) {
        beat();
        const auto epoch = TRY(store->take_lease(owner_, options_.relay.lease_ttl));
        TRY(epoch ? lead(*store, *epoch, stop) : stand_by(*store, stop));
    }
    return {};
}

Result<void> Relay::stand_by(Store& store, const std::stop_token& stop) {
    stats_.set_standby();
    const auto mode = TRY(store.reader_mode());
    stats_.set_mode(mode == "wal" ? ReaderMode::wal : ReaderMode::polling);
    show(health::Status::healthy, "standing by");
    context().clock.sleep_for(kStandbyPoll, stop);
    return {};
}

Result<void> Relay::lead(Store& store, std::int64_t epoch, const std::stop_token& stop) {
    logging::info("leading", {{"epoch", epoch}, {"owner", owner_}});
    Desk desk{.options = options_,
              .context = context(),
              .stats = stats_,
              .topics = topics_,
              .bell = bell_,
              .store = store,
              .stop = stop,
              .epoch = epoch,
              .beat = [this] { beat(); },
              .report = [this](health::Status status,
                               std::string detail) { show(status, std::move(detail)); }};
    stats_.set_leader(epoch);
    Backoff backoff(kBackoff);
    while (!stop.stop_requested()) {
        const auto started = context().clock.steady_now();
        const auto ended = read(desk, stop);
        if (ended) {
            backoff.reset();
            continue;
        }
        const auto& error = ended.error();
        stats_.restarted(error.reason.empty() ? std::string(to_string(error.code)) : error.reason);
        if (error.reason == "FENCED") {
            logging::warning("no longer leading", error, {{"epoch", epoch}});
            return {};
        }
        logging::warning("reading the outbox failed; it starts anew", error, {{"epoch", epoch}});
        show_fault(error);
        if (!store.usable()) {
            return std::unexpected(error);
        }
        if (context().clock.steady_now() - started > std::chrono::seconds{10}) {
            backoff.reset();
        }
        if (const auto waited = wait_out(desk, backoff.next(), stop); !waited) {
            if (waited.error().reason == "FENCED") {
                return {};
            }
            return waited;
        }
    }
    // Handed back, so that a standby need not wait for its end.
    const auto released = store.release(epoch);
    logging::info("stopped leading", {{"epoch", epoch}});
    return released;
}

Result<Ended> Relay::read(Desk& desk, const std::stop_token& stop) {
    TRY(desk.keep({}));
    if (TRY(desk.store.reader_mode()) == "wal") {
        stats_.set_mode(ReaderMode::wal);
        return WalReader(desk).run(stop);
    }
    stats_.set_mode(ReaderMode::polling);
    return PollingReader(desk).run(stop);
}

Result<void> Relay::wait_out(Desk& desk, milliseconds delay, const std::stop_token& stop) {
    const auto until = context().clock.steady_now() + delay;
    while (!stop.stop_requested() && context().clock.steady_now() < until) {
        TRY(desk.keep({}));
        const auto left = std::chrono::ceil<milliseconds>(until - context().clock.steady_now());
        context().clock.sleep_for(std::min(left, kTickInterval), stop);
    }
    return {};
}

void Relay::show_fault(const Error& error) {
    // What passes by itself leaves the process ready: nothing is lost meanwhile.
    const bool passes = error.transient() && error.reason != "FATAL";
    show(passes ? health::Status::degraded : health::Status::unhealthy, error.message);
}

void Relay::show(health::Status status, std::string detail) {
    report(status, detail);
    readiness_.report(status, std::move(detail));
}

}  // namespace gantry::relay
