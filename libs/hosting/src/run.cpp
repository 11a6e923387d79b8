#include "gantry/hosting/run.hpp"

#include "attempt.hpp"
#include "reload.hpp"
#include "signals.hpp"

#include "gantry/logging/log.hpp"

#include <unistd.h>
#include <iostream>
#include <optional>
#include <utility>

namespace gantry::hosting {
namespace {

int report_faults(std::string_view program, const std::vector<config::Fault>& faults) {
    std::cerr << program << ": " << faults.size() << (faults.size() == 1 ? " fault" : " faults")
              << " in the configuration:\n";
    for (const config::Fault& fault : faults) {
        std::cerr << "  " << config::to_string(fault) << "\n";
    }
    return kExitBadOptions;
}

void add_host_metrics(Context& context) {
    auto& metrics = context.metrics;
    auto& misses =
        metrics.gauge("gantry_host_loop_misses",
                      "Times that a loop was silent for longer than the watchdog allows.");
    auto& ready = metrics.gauge("gantry_host_ready", "1 while the process takes work.");
    metrics.on_scrape([&context, &misses, &ready] {
        misses.set(context.watchdog.misses());
        ready.set(context.ready() ? 1 : 0);
        for (const auto& check : context.health.snapshot()) {
            context.metrics
                .gauge("gantry_health_status", "0 healthy, 1 degraded, 2 unhealthy.",
                       {{"check", check.name}})
                .set(static_cast<double>(check.status));
        }
    });
}

// What lives from composition to the last service's end.
int run_host(const Program& program, const CommonOptions& common, const config::Sources& sources,
             const config::Binder& binder, const config::Loaded& loaded) {
    metrics::Registry metrics;
    health::Registry health(system_clock());
    health::Watchdog watchdog(system_clock(), {.limit = common.host.watchdog_limit, .strikes = 3});
    Lifetime lifetime;
    Context context{.service = std::string(program.name),
                    .version = GANTRY_VERSION,
                    .clock = system_clock(),
                    .metrics = metrics,
                    .health = health,
                    .watchdog = watchdog,
                    .lifetime = lifetime};
    metrics::add_process_metrics(metrics, context.service, context.version);
    add_host_metrics(context);
    Reloader reloader(program, context, sources, binder, loaded);
    // Before composition, so that a signal stops a process that is still composing.
    const SignalThread signals(lifetime, {.reload = [&] { reloader.reload(); },
                                          .look = [&] { reloader.look(); },
                                          .interval = common.watch_interval});

    auto host = attempt(Thrown::by_wiring, [&]() -> Result<std::unique_ptr<Host>> {
        HostBuilder builder;
        program.compose(context, builder);
        return Host::create(std::move(builder), common.host, context);
    });
    int code = kExitStartFailed;
    if (host) {
        code = (*host)->run();
    } else {
        logging::error("start failed", host.error());
    }
    // Before the host, whose limit holds for this as well.
    if (program.destroy) {
        program.destroy();
    }
    if (host) {
        host->reset();
    }
    logging::info("stopped", {{"cause", lifetime.cause()}, {"exit_code", code}});
    return code;
}

int run_unguarded(const Program& program, int argc, char** argv) {
    block_signals();
    CommonOptions common;
    config::Binder binder;
    common.bind(binder);
    program.bind(binder);
    const auto sources = config::Sources::of_process(argc, argv);
    auto loaded = config::load(binder, sources);
    switch (loaded.request) {
        case config::Request::help:
            std::cout << config::help(binder, program.name, program.summary);
            return kExitClean;
        case config::Request::help_markdown:
            std::cout << config::markdown_table(binder);
            return kExitClean;
        case config::Request::version:
            std::cout << program.name << " " << GANTRY_VERSION << "\n";
            return kExitClean;
        case config::Request::run:
        case config::Request::print_config:
            break;
    }
    config::add_faults(loaded, common.host.validate());
    if (program.validate) {
        config::add_faults(loaded, program.validate());
    }
    if (!loaded.faults.empty()) {
        return report_faults(program.name, loaded.faults);
    }
    if (loaded.request == config::Request::print_config) {
        std::cout << config::print_config(binder, loaded);
        return kExitClean;
    }
    logging::configure({.level = common.log_level,
                        .format = common.log_format,
                        .service = std::string(program.name)});
    logging::info("starting", {{"version", GANTRY_VERSION}, {"pid", getpid()}});
    return run_host(program, common, sources, binder, loaded);
}

}  // namespace

int run_program(const Program& program, int argc, char** argv) {
    const auto code = attempt(Thrown::by_wiring,
                              [&]() -> Result<int> { return run_unguarded(program, argc, argv); });
    if (!code) {
        std::cerr << program.name << ": " << code.error().message << "\n";
        return kExitStartFailed;
    }
    return *code;
}

}  // namespace gantry::hosting
