#pragma once

#include "gantry/config/live.hpp"
#include "gantry/config/loader.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/host.hpp"

#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace gantry::hosting {

/// A second set of the app's options, for a reload to try values on without touching the live ones.
struct Scratch {
    std::shared_ptr<void> options;
    std::function<std::vector<config::Fault>()> validate;
    /// Makes these the live options; may be empty.
    std::function<void()> accept = {};
};

/// What `run` needs to know of an app before it exists.
struct Program {
    std::string_view name;
    std::string_view summary;
    /// Binds the app's options.
    std::function<void(config::Binder&)> bind;
    /// Faults that span fields; may be empty.
    std::function<std::vector<config::Fault>()> validate;
    /// Makes the app and registers its services.
    std::function<void(Context&, HostBuilder&)> compose;
    /// Destroys the app, after the host has stopped and before the context goes; may be empty.
    std::function<void()> destroy = {};
    /// Binds a fresh set of the app's options; without it the program does not reload.
    std::function<Scratch(config::Binder&)> bind_scratch = {};
};

/// Blocks signals, loads the configuration (exit 78 with every fault, or `--help`, `--version`,
/// `--print-config`), configures logging, composes and runs the host. Returns the process's exit
/// code. Call it first in `main`, before any thread exists.
int run_program(const Program& program, int argc, char** argv);

/// The faults that options report over several fields at once, if they have a `validate`.
template <class Options>
std::vector<config::Fault> validate_options(const Options& options) {
    static_assert(
        requires { options.validate(); } || !requires(Options& open) { open.validate(); },
        "validate must be const, or it would be skipped silently");
    if constexpr (requires { options.validate(); }) {
        return options.validate();
    } else {
        return {};
    }
}

/// The whole of a service's `main`: `return gantry::hosting::run<App>(argc, argv);`
///
/// An `App` has `static constexpr std::string_view kName, kSummary`, a nested `Options` with
/// `bind(Binder&)` (and optionally `validate() const -> std::vector<config::Fault>`), a constructor
/// that holds everything the process shares in dependency order, and `compose(HostBuilder&)`. It is
/// destroyed after the host has stopped.
///
/// The constructor is `App(const Options&, Context&)`, whose options stay as they were at start, or
/// `App(const config::Live<Options>&, Context&)`, which sees reloads: after one, settings marked
/// reloadable have their new values in the next snapshot, all others keep those of the start.
template <class App>
int run(int argc, char** argv) {
    using Options = typename App::Options;
    const auto options = std::make_shared<Options>();
    config::Live<Options> live{std::shared_ptr<const Options>(options)};
    std::unique_ptr<App> app;
    const Program program{
        .name = App::kName,
        .summary = App::kSummary,
        .bind = [&](config::Binder& binder) { options->bind(binder); },
        .validate = [&] { return validate_options(*options); },
        .compose =
            [&](Context& context, HostBuilder& host) {
                if constexpr (std::is_constructible_v<App, const config::Live<Options>&,
                                                      Context&>) {
                    app = std::make_unique<App>(std::as_const(live), context);
                } else {
                    app = std::make_unique<App>(std::as_const(*options), context);
                }
                app->compose(host);
            },
        .destroy = [&] { app.reset(); },
        .bind_scratch =
            [&](config::Binder& binder) {
                auto fresh = std::make_shared<Options>();
                fresh->bind(binder);
                return Scratch{fresh, [fresh] { return validate_options(*fresh); },
                               [&live, fresh] { live.replace(fresh); }};
            },
    };
    return run_program(program, argc, argv);
}

}  // namespace gantry::hosting
