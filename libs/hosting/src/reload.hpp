#pragma once

#include "gantry/hosting/run.hpp"

#include <map>
#include <string>
#include <vector>

namespace gantry::hosting {

/// The settings that every program has.
struct CommonOptions {
    std::string log_level = "info";
    std::string log_format = "auto";
    HostOptions host;
    void bind(config::Binder& binder);
};

/// Loads the configuration again on SIGHUP. A reload with any fault is refused whole: the old
/// values stay, a metric counts it and the check `config` is degraded. Of the rest, only what is
/// marked reloadable changes; other changes are named in the log as waiting for a restart.
class Reloader {
public:
    /// `live` is the configuration that the process started with.
    Reloader(const Program& program, Context& context, config::Sources sources,
             const config::Binder& live);

    /// Called by the signal thread only.
    void reload();

private:
    static std::map<std::string, std::string> values_of(const config::Binder& binder);
    /// Reads the configuration again; its faults, or nothing if its values hold now.
    std::vector<config::Fault> take();

    const Program& program_;
    config::Sources sources_;
    health::Reporter& reporter_;
    metrics::Counter& successes_;
    metrics::Counter& failures_;
    std::map<std::string, std::string> values_;
};

}  // namespace gantry::hosting
