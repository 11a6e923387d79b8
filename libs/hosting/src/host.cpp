#include "gantry/hosting/host.hpp"

#include "attempt.hpp"
#include "guard.hpp"
#include "supervisor.hpp"

#include "gantry/hosting/alarm.hpp"
#include "gantry/logging/log.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace gantry::hosting {

void HostOptions::bind(config::Binder& binder) {
    binder.add("host.start_timeout", start_timeout, "How long starting may take.")
        .range(1, 3'600'000);
    binder
        .add("host.stop_timeout", stop_timeout,
             "How long stopping may take, the drain delay included; past it the process names the "
             "culprit and exits with 124.")
        .range(1, 3'600'000);
    binder
        .add("host.service_stop_timeout", service_stop_timeout,
             "How long stopping one service may take.")
        .range(1, 3'600'000);
    binder
        .add("host.drain_delay", drain_delay,
             "How long to go on serving, unready, before stopping, so that load balancers notice.")
        .range(0, 3'600'000);
    binder
        .add("host.watchdog_limit", watchdog_limit,
             "How long a loop may be silent; three times that and /livez fails.")
        .range(100, 3'600'000);
}

std::vector<config::Fault> HostOptions::validate() const {
    if (drain_delay >= stop_timeout) {
        return {{"host.drain_delay", "with host.stop_timeout",
                 "must be shorter than host.stop_timeout, which includes it"}};
    }
    return {};
}

class Host::Impl {
public:
    using Hook = HostBuilder::NamedHook;

    Impl(Context& context, const HostOptions& options, HostBuilder builder)
        : context_(context),
          options_(options),
          starting_hooks_(std::move(builder.starting_hooks_)),
          started_hooks_(std::move(builder.started_hooks_)),
          alarm_(context.clock),
          guard_(
              context, [this](int code) { hard_exit(code); },
              [this] { supervisor_.look_for_stalls(); }),
          supervisor_(context, options, guard_, alarm_, std::move(builder.registrations_)) {}

    ~Impl() { guard_.stop(); }

    int run(const std::stop_token& cancelled) {
        guard_.start();
        context_.health.start();
        {
            // Runs on the thread that asks for the stop, also while this one hangs in a start.
            const std::stop_callback on_stop(context_.lifetime.stopping(), [this] {
                begin_stop();
                alarm_.ring();
            });
            const std::stop_callback on_cancel(
                cancelled, [this] { context_.lifetime.stop("cancelled by the caller"); });
            if (start()) {
                serve();
            }
        }
        // Again, because the callback is dropped if this thread comes here before its turn.
        begin_stop();
        stop();
        return conclude();
    }

    std::function<void(int)> hard_exit = [](int code) { std::_Exit(code); };
    Report report;

private:
    bool stopping() const { return context_.lifetime.stopping().stop_requested(); }

    // From here on the stop's time runs; only the first call counts.
    void begin_stop() {
        std::call_once(stop_begun_, [this] {
            abort_start_.request_stop();
            guard_.cancel_hard_limit();
            guard_.set_hard_limit(context_.clock.steady_now() + options_.stop_timeout,
                                  kExitStopTimedOut);
        });
    }

    // Returns whether everything runs.
    bool start() {
        if (stopping()) {
            return false;
        }
        context_.lifetime.enter(Phase::starting);
        guard_.set_soft_limit(context_.clock.steady_now() + options_.start_timeout, [this] {
            start_timed_out_ = true;
            abort_start_.request_stop();
            guard_.set_hard_limit(context_.clock.steady_now() + options_.service_stop_timeout,
                                  kExitStartFailed);
        });
        auto failure = start_everything(abort_start_.get_token());
        guard_.cancel_soft_limit();
        if (stopping()) {
            // Also when the service under way gave up because of that: no failure.
            if (failure && failure->error.code != Code::cancelled) {
                logging::warning("start ended early", failure->error, {{"name", failure->service}});
            }
            return false;
        }
        if (!failure && !start_timed_out_) {
            guard_.note("running");
            context_.lifetime.enter(Phase::started);
            logging::info("started");
            return true;
        }
        if (start_timed_out_) {
            const std::string where = failure ? failure->service : "the last service";
            failure = ServiceError{
                where,
                {Code::deadline_exceeded,
                 "start-up took longer than " + format_duration(options_.start_timeout),
                 "START_TIMED_OUT",
                 {}}};
        }
        logging::error("start failed", failure->error, {{"name", failure->service}});
        // From here on it is a stop like any other, with its limit.
        context_.lifetime.stop("start of `" + failure->service + "` failed");
        report.start_failure = std::move(failure);
        return false;
    }

    std::optional<ServiceError> start_everything(const std::stop_token& aborted) {
        if (auto failure = run_hooks(starting_hooks_, aborted)) {
            return failure;
        }
        if (auto failure = supervisor_.start_all(aborted)) {
            return failure;
        }
        return run_hooks(started_hooks_, aborted);
    }

    std::optional<ServiceError> run_hooks(const std::vector<Hook>& hooks,
                                          const std::stop_token& aborted) {
        for (const Hook& hook : hooks) {
            if (aborted.stop_requested()) {
                return ServiceError{hook.name, {Code::cancelled, "start-up was aborted", {}, {}}};
            }
            guard_.note("running hook `" + hook.name + "`");
            if (auto done = attempt(Thrown::by_wiring, [&] { return hook.run(aborted); }); !done) {
                return ServiceError{hook.name, std::move(done).error()};
            }
        }
        return std::nullopt;
    }

    void serve() {
        while (!stopping()) {
            supervisor_.step();
            alarm_.wait_until(supervisor_.next_due(), context_.lifetime.stopping());
        }
    }

    void stop() {
        const bool was_started = context_.lifetime.phase() == Phase::started;
        const Deadline total = Deadline::after(options_.stop_timeout, context_.clock);
        logging::info("stopping", {{"cause", context_.lifetime.cause()}});
        guard_.note("running the callbacks of the stop", Guard::Watched::yes);
        context_.lifetime.enter(Phase::stopping);
        if (was_started && options_.drain_delay > milliseconds{0}) {
            guard_.note("draining");
            context_.clock.sleep_for(options_.drain_delay, {});
        }
        auto& errors = report.stop_failures;
        errors = supervisor_.stop_all(HostBuilder::Place::ordered, total);
        guard_.note("stopping the health checks", Guard::Watched::yes);
        context_.health.stop();
        guard_.note("running the callbacks after the stop", Guard::Watched::yes);
        context_.lifetime.enter(Phase::stopped);
        for (auto& error : supervisor_.stop_all(HostBuilder::Place::outermost, total)) {
            errors.push_back(std::move(error));
        }
        supervisor_.destroy_all();
        // The guard goes on: what the services shared is destroyed while it watches.
        guard_.note("destroying what the services shared", Guard::Watched::yes);
    }

    [[nodiscard]] int conclude() {
        report.culprit = guard_.culprit();
        if (report.start_failure) {
            for (const ServiceError& error : report.stop_failures) {
                report.start_failure->error.message +=
                    "; rolling back `" + error.service + "`: " + error.error.message;
            }
        }
        const bool late = std::ranges::any_of(report.stop_failures, [](const ServiceError& error) {
            return error.error.code == Code::deadline_exceeded;
        });
        if (late || !report.culprit.empty()) {
            return kExitStopTimedOut;
        }
        if (report.start_failure) {
            return kExitStartFailed;
        }
        return context_.lifetime.faults().empty() && report.stop_failures.empty() ? kExitClean
                                                                                  : kExitFault;
    }

    // Constant after construction.
    Context& context_;
    HostOptions options_;
    std::vector<Hook> starting_hooks_;
    std::vector<Hook> started_hooks_;
    // Self-synchronised.
    Alarm alarm_;
    std::stop_source abort_start_;
    std::once_flag stop_begun_;
    std::atomic<bool> start_timed_out_ = false;
    // The guard uses the supervisor, and the supervisor the guard; `~Impl` ends the guard's thread
    // first.
    Guard guard_;
    Supervisor supervisor_;
};

Result<std::unique_ptr<Host>> Host::create(HostBuilder builder, HostOptions options,
                                           Context& context) {
    if (const std::string offenders = builder.offending_names(); !offenders.empty()) {
        return fail(Code::invalid_argument,
                    "a hosted service needs a name of its own; used twice or empty: " + offenders,
                    "DUPLICATE_SERVICE");
    }
    std::string checks;
    for (const std::string& name : context.health.refused_names()) {
        checks += (checks.empty() ? "`" : ", `") + name + "`";
    }
    if (!checks.empty()) {
        return fail(Code::invalid_argument,
                    "a health check needs a name of its own; used twice: " + checks,
                    "DUPLICATE_HEALTH_CHECK");
    }
    return std::unique_ptr<Host>(
        new Host(std::make_unique<Impl>(context, options, std::move(builder))));
}

Host::Host(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Host::~Host() = default;

int Host::run(std::stop_token cancelled) {
    return impl_->run(cancelled);
}
const Host::Report& Host::report() const {
    return impl_->report;
}
void Host::set_hard_exit(std::function<void(int)> hard_exit) {
    impl_->hard_exit = std::move(hard_exit);
}

}  // namespace gantry::hosting
