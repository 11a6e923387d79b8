#include "supervisor.hpp"

#include "attempt.hpp"
#include "under_way.hpp"

#include "gantry/hosting/background_service.hpp"
#include "gantry/logging/log.hpp"

#include <pthread.h>
#include <algorithm>
#include <iterator>
#include <ranges>
#include <thread>
#include <utility>

namespace gantry::hosting {

Supervisor::Supervisor(Context& context, const HostOptions& options, Guard& guard, Alarm& alarm,
                       std::vector<HostBuilder::Registration> registrations)
    : context_(context), options_(options), guard_(guard), alarm_(alarm) {
    for (auto& registration : registrations) {
        auto slot = std::make_unique<Slot>();
        slot->name = std::move(registration.name);
        slot->factory = std::move(registration.factory);
        slot->policy = registration.policy;
        slot->backoff = Backoff(registration.policy.backoff);
        slot->reporter = &context_.health.reporter("service:" + slot->name, false);
        slot->restart_counter =
            &context_.metrics.counter("gantry_host_service_restarts_total",
                                      "Restarts of hosted services.", {{"service", slot->name}});
        context_.lifetime.set_service({slot->name, 0});
        if (registration.group.empty() || stages_.empty() ||
            stages_.back().group != registration.group) {
            stages_.push_back({std::move(registration.group), registration.place, {}});
        }
        stages_.back().members.push_back(slot.get());
        slots_.push_back(std::move(slot));
    }
}

// One after another is on the caller's thread, so that what a start leaves to its thread (a locale,
// a signal mask) is that of the process.
template <class Body>
void Supervisor::for_each_member(const Stage& stage, UnderWay& under_way, Body body) {
    for (const Slot* slot : stage.members) {
        under_way.begin(slot->name);
    }
    if (stage.members.size() == 1) {
        body(*stage.members.front());
        return;
    }
    std::vector<std::jthread> threads;
    for (Slot* slot : stage.members) {
        threads.emplace_back([&under_way, &body, slot] {
            body(*slot);
            under_way.end(slot->name);
        });
        pthread_setname_np(threads.back().native_handle(), "host-group");
    }
}

Supervisor::~Supervisor() {
    destroy_all();
}

std::optional<ServiceError> Supervisor::start_all(const std::stop_token& aborted) {
    for (const Stage& stage : stages_) {
        if (aborted.stop_requested()) {
            return ServiceError{stage.members.front()->name,
                                {Code::cancelled, "start-up was aborted", {}, {}}};
        }
        if (auto failure = start_stage(stage, aborted)) {
            return failure;
        }
    }
    return std::nullopt;
}

std::optional<ServiceError> Supervisor::start_stage(const Stage& stage,
                                                    const std::stop_token& aborted) {
    std::stop_source abort;
    const std::stop_callback pass_on(aborted, [&] { abort.request_stop(); });
    std::mutex mutex;
    std::optional<ServiceError> first_failure;
    UnderWay under_way(guard_, "starting", Guard::Watched::no);
    for_each_member(stage, under_way, [&](Slot& slot) {
        auto started = start_one(slot, abort.get_token());
        if (started) {
            logging::debug("service started", {{"name", slot.name}});
            return;
        }
        {
            const std::lock_guard lock(mutex);
            if (first_failure) {
                // Most likely it followed the abort; otherwise it is the second of two.
                logging::info("service did not start either", {{"name", slot.name}});
                return;
            }
            first_failure = ServiceError{slot.name, std::move(started).error()};
        }
        abort.request_stop();
    });
    return first_failure;
}

void Supervisor::enter(Slot& slot, State state, health::Status status, std::string detail) {
    const std::lock_guard lock(slot.mutex);
    slot.state = state;
    slot.reporter->report(status, std::move(detail));
}

Result<void> Supervisor::start_one(Slot& slot, const std::stop_token& aborted) {
    const int generation = ++slot.generation;
    // Also where the start fails: the last instance's health says nothing about the next one's.
    slot.started_at = context_.clock.steady_now();
    enter(slot, State::starting, health::Status::degraded, "starting");
    auto started = attempt(Thrown::by_wiring, [&]() -> Result<void> {
        slot.instance = slot.factory();
        if (!slot.instance) {
            return fail(Code::internal, "the factory made no service");
        }
        slot.instance->on_end([this, &slot, generation](Result<void> outcome) {
            ended(slot, generation, std::move(outcome));
        });
        return slot.instance->start(aborted);
    });
    if (!started) {
        // Destruction ends whatever the half-started instance had begun.
        slot.instance.reset();
        enter(slot, State::absent, health::Status::unhealthy, "start failed");
        return started;
    }
    slot.started_at = context_.clock.steady_now();
    if (dynamic_cast<const BackgroundService*>(slot.instance.get()) != nullptr) {
        // A loop has shown its own state since its thread began; that must not be overwritten.
        const std::lock_guard lock(slot.mutex);
        slot.state = State::running;
    } else {
        enter(slot, State::running, health::Status::healthy, "running");
    }
    return {};
}

void Supervisor::ended(Slot& slot, int generation, Result<void> outcome) {
    if (!outcome && outcome.error().code == Code::cancelled &&
        context_.lifetime.stopping().stop_requested()) {
        outcome = {};  // It followed the process's stop before its own turn: no fault.
    }
    const OnEnd action = outcome ? slot.policy.on_return : slot.policy.on_fault;
    if (outcome) {
        logging::info("service ended by itself", {{"name", slot.name}});
    } else {
        logging::error("service failed", outcome.error(), {{"name", slot.name}});
        context_.lifetime.record_error(slot.name, outcome.error(), context_.clock.now());
    }
    // At once, not in `step`: the host's thread may be inside another service's start.
    if (action == OnEnd::stop_host) {
        if (outcome) {
            context_.lifetime.stop("service `" + slot.name + "` ended");
        } else {
            context_.lifetime.fault(slot.name, outcome.error());
        }
    }
    {
        const std::lock_guard lock(mutex_);
        ends_.push_back({&slot, generation, std::move(outcome)});
    }
    alarm_.ring();
}

void Supervisor::step() {
    std::vector<End> ends;
    {
        const std::lock_guard lock(mutex_);
        ends.swap(ends_);
    }
    for (const End& end : ends) {
        handle(end);
    }
    for (auto& slot : slots_) {
        if (slot->state == State::waiting && context_.clock.steady_now() >= slot->restart_at &&
            !context_.lifetime.stopping().stop_requested()) {
            restart(*slot);
        }
    }
}

void Supervisor::handle(const End& end) {
    Slot& slot = *end.slot;
    if (end.generation != slot.generation || slot.state == State::stopped) {
        return;
    }
    ++slot.generation;  // An instance ends once, though its start fails after its loop has.
    const OnEnd action = end.outcome ? slot.policy.on_return : slot.policy.on_fault;
    if (action == OnEnd::restart) {
        plan_restart(slot, end.outcome);
    } else {
        enter(slot, State::ended, health::Status::unhealthy, "stopped unexpectedly");
    }
}

void Supervisor::plan_restart(Slot& slot, const Result<void>& outcome) {
    const SteadyTime now = context_.clock.steady_now();
    if (now - slot.started_at >= slot.policy.window) {
        slot.backoff.reset();
    }
    while (!slot.recent_restarts.empty() &&
           now - slot.recent_restarts.front() > slot.policy.window) {
        slot.recent_restarts.pop_front();
    }
    if (std::cmp_greater_equal(slot.recent_restarts.size(), slot.policy.max_restarts)) {
        enter(slot, State::ended, health::Status::unhealthy, "stopped: restarted too often");
        Error error = outcome ? Error{Code::internal, "ended by itself", {}, {}} : outcome.error();
        context_.lifetime.fault(slot.name,
                                std::move(error).with_context(
                                    "restarted " + std::to_string(slot.recent_restarts.size()) +
                                    " times in " + format_duration(slot.policy.window)));
        return;
    }
    const milliseconds pause = slot.backoff.next();
    slot.restart_at = now + pause;
    enter(slot, State::waiting, health::Status::degraded, "restarting");
    logging::warning("service will be restarted", {{"name", slot.name}, {"in_ms", pause}});
}

void Supervisor::restart(Slot& slot) {
    slot.restart_at = SteadyTime::max();
    slot.recent_restarts.push_back(context_.clock.steady_now());
    slot.restart_counter->increment();
    context_.lifetime.count_restart(slot.name);
    guard_.note("restarting service `" + slot.name + "`", Guard::Watched::yes);
    if (slot.instance) {
        if (const auto stopped = stop_one(slot, Deadline::never()); !stopped) {
            logging::warning("old instance did not stop cleanly", stopped.error(),
                             {{"name", slot.name}});
        }
        slot.instance.reset();
    }
    if (auto started = start_one(slot, context_.lifetime.stopping()); !started) {
        if (!context_.lifetime.stopping().stop_requested()) {
            ended(slot, slot.generation, std::move(started));
        }
    }
    guard_.note("running");
}

SteadyTime Supervisor::next_due() const {
    SteadyTime next = SteadyTime::max();
    for (const auto& slot : slots_) {
        if (slot->state == State::waiting) {
            next = std::min(next, slot->restart_at);
        }
    }
    return next;
}

Result<void> Supervisor::stop_one(Slot& slot, Deadline total) {
    const Deadline limit =
        Deadline::after(options_.service_stop_timeout, context_.clock).earlier(total);
    return attempt(Thrown::by_work, [&] { return slot.instance->stop(limit); });
}

std::vector<ServiceError> Supervisor::stop_all(HostBuilder::Place place, Deadline total) {
    std::vector<ServiceError> errors;
    for (const Stage& stage : std::views::reverse(stages_)) {
        if (stage.place == place) {
            std::ranges::move(stop_stage(stage, total), std::back_inserter(errors));
        }
    }
    return errors;
}

std::vector<ServiceError> Supervisor::stop_stage(const Stage& stage, Deadline total) {
    Stage running{stage.group, stage.place, {}};
    std::ranges::copy_if(stage.members, std::back_inserter(running.members), [](const Slot* slot) {
        return slot->instance && slot->state != State::stopped;
    });
    std::mutex mutex;
    std::vector<ServiceError> errors;
    UnderWay under_way(guard_, "stopping", Guard::Watched::yes);
    for_each_member(running, under_way, [&](Slot& slot) {
        if (auto error = stop_for_good(slot, total)) {
            const std::lock_guard lock(mutex);
            errors.push_back(*std::move(error));
        }
    });
    return errors;
}

std::optional<ServiceError> Supervisor::stop_for_good(Slot& slot, Deadline total) {
    const SteadyTime began = context_.clock.steady_now();
    auto stopped = stop_one(slot, total);
    enter(slot, State::stopped, health::Status::unhealthy, "stopped");
    const auto took = std::chrono::duration_cast<milliseconds>(context_.clock.steady_now() - began);
    if (stopped || stopped.error().code == Code::cancelled) {
        logging::debug("service stopped", {{"name", slot.name}, {"took_ms", took}});
        return std::nullopt;
    }
    logging::error("service did not stop cleanly", stopped.error(),
                   {{"name", slot.name}, {"took_ms", took}});
    if (stopped.error().code == Code::deadline_exceeded) {
        guard_.blame("stopping service `" + slot.name + "`");
    }
    return ServiceError{slot.name, std::move(stopped).error()};
}

void Supervisor::destroy_all() {
    for (auto& slot : std::views::reverse(slots_)) {
        if (slot->instance) {
            guard_.note("waiting for the end of service `" + slot->name + "`", Guard::Watched::yes);
            slot->instance.reset();
        }
    }
}

void Supervisor::look_for_stalls() {
    const auto stalled = context_.watchdog.stalled();
    for (auto& slot : slots_) {
        const bool is_stalled = std::ranges::find(stalled, slot->name) != stalled.end();
        const std::lock_guard lock(slot->mutex);
        if (is_stalled == slot->shown_stalled) {
            continue;
        }
        slot->shown_stalled = is_stalled;
        // In every other state the host says more.
        if (slot->state == State::running) {
            slot->reporter->report(is_stalled ? health::Status::unhealthy : health::Status::healthy,
                                   is_stalled ? "stalled" : "running");
        }
    }
}

}  // namespace gantry::hosting
