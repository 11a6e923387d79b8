#pragma once

#include "gantry/hosting/run.hpp"

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace gantry::hosting {

/// The settings that every program has.
struct CommonOptions {
    std::string log_level = "info";
    std::string log_format = "auto";
    std::chrono::milliseconds watch_interval{1'000};  ///< Between looks at the files; 0: none.
    HostOptions host;
    void bind(config::Binder& binder);
};

/// Loads the configuration again: on SIGHUP, and when its files have changed.
///
/// A reload with any fault is refused whole: the old values stay, a metric counts it, the check
/// `config` is degraded and the log names every fault. Of the rest only what is marked reloadable
/// changes; other changes wait for a restart, and the log and the check name them. The app sees
/// the new values at once and as one, in the next snapshot of its `config::Live`.
///
/// For one thread, the signal thread's.
class Reloader {
public:
    /// `live` and `loaded` are the configuration that the process started with.
    Reloader(const Program& program, Context& context, config::Sources sources,
             const config::Binder& live, const config::Loaded& loaded);

    /// Loads the configuration now.
    void reload();

    /// Reloads once the files have changed since they were last read and then were the same in two
    /// looks, so that a swap of several files, or a file that is still being written, counts once.
    void look();

private:
    static std::map<std::string, std::string> values_of(const config::Binder& binder);
    /// Reads the configuration again; its faults, or nothing if its values hold now.
    std::vector<config::Fault> take();
    void refuse(const std::vector<config::Fault>& faults);

    // Constant after construction.
    const Program& program_;
    config::Sources sources_;
    config::Files files_;
    health::Reporter& reporter_;
    metrics::Counter& successes_;
    metrics::Counter& failures_;
    // The caller's thread only.
    std::map<std::string, std::string> values_;  // as text, of what holds now
    std::string waiting_;                        // changed settings that need a restart
    std::string read_;                           // the files' state when they were last read
    std::string changed_;                        // the state seen by the last look, if it differed
};

}  // namespace gantry::hosting
