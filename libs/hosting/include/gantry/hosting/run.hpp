#pragma once

#include "gantry/config/loader.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/host.hpp"

#include <functional>
#include <memory>
#include <string_view>

namespace gantry::hosting {

/// What `run` needs to know of an app before it exists.
struct Program {
    std::string_view name;
    std::string_view summary;
    std::function<void(config::Binder&)> bind;                 ///< Binds the app's options.
    std::function<std::vector<config::Fault>()> validate;      ///< Faults that span fields; may be empty.
    std::function<void(Context&, HostBuilder&)> compose;       ///< Makes the app and registers its services.
};

/// Blocks signals, loads the configuration (exit 78 with every fault, or `--help`, `--version`,
/// `--print-config`), configures logging, composes and runs the host. Returns the process's exit code.
int run_program(const Program& program, int argc, char** argv);

/// The whole of a service's `main`: `return gantry::hosting::run<App>(argc, argv);`
///
/// An `App` has `static constexpr std::string_view kName, kSummary`, a nested `Options` with `bind(Binder&)` (and
/// optionally `validate() -> std::vector<config::Fault>`), a constructor `App(const Options&, Context&)` that holds everything
/// the process shares in dependency order, and `compose(HostBuilder&)`. It is destroyed after the host has stopped.
template <class App>
int run(int argc, char** argv) {
    typename App::Options options;
    std::unique_ptr<App> app;
    return run_program(
        Program{
            .name = App::kName,
            .summary = App::kSummary,
            .bind = [&](config::Binder& binder) { options.bind(binder); },
            .validate =
                [&]() -> std::vector<config::Fault> {
                    if constexpr (requires { options.validate(); }) {
                        return options.validate();
                    } else {
                        return {};
                    }
                },
            .compose =
                [&](Context& context, HostBuilder& host) {
                    app = std::make_unique<App>(options, context);
                    app->compose(host);
                },
        },
        argc, argv);
}

}  // namespace gantry::hosting
