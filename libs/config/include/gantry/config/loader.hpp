#pragma once

#include "gantry/config/binder.hpp"
#include "gantry/config/files.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::config {

/// Where settings come from. Later layers win: defaults, YAML file, secret files, environment,
/// flags.
struct Sources {
    std::vector<std::string> arguments;  ///< `argv` without the program's name.
    std::map<std::string, std::string>
        environment;  ///< Only names that begin with `GANTRY__` count.
    std::string default_file =
        "/etc/gantry/config.yaml";  ///< Read if it exists; `--config` names another.

    /// The sources of this process.
    static Sources of_process(int argc, char** argv);
};

/// One fault in the configuration. The value is never shown for a secret.
struct Fault {
    std::string key;     ///< `kafka.brokers`.
    std::string source;  ///< `flag --kafka.brokers`, `environment GANTRY__KAFKA__BROKERS`, `file …:
                         ///< line 3`.
    std::string problem;  ///< What is allowed, with the nearest known key for an unknown one.
};

/// The fault as one line: `kafka.brokers: is required [default]`.
std::string to_string(const Fault& fault);

/// What the command line asked for beside the settings.
enum class Request { run, help, help_markdown, version, print_config };

/// What loading gave.
struct Loaded {
    Request request = Request::run;
    std::vector<Fault> faults;                   ///< Every fault at once; empty if all is well.
    std::map<std::string, std::string> sources;  ///< Key → the layer its value came from.
    Files files;                                 ///< What was read, or would have been.
    std::string state;  ///< `state_of(files)`, taken before they were read.
};

/// Applies all layers to the bound fields and validates them. Unknown keys are faults.
///
/// Flags are `--key=value` or `--key value`; beside them `--config FILE`, `--secrets-dir DIR` (a
/// file per key), `--help`, `--help=markdown`, `--version` and `--print-config`.
Loaded load(Binder& binder, const Sources& sources);

/// Adds faults that span settings, each under the layer that its key's value came from.
void add_faults(Loaded& loaded, std::vector<Fault> faults);

/// The effective configuration as YAML with secrets masked, and where each value came from.
std::string print_config(const Binder& binder, const Loaded& loaded);

/// The text of `--help` for `program`.
std::string help(const Binder& binder, std::string_view program, std::string_view summary);

/// A Markdown table of all settings, for READMEs.
std::string markdown_table(const Binder& binder);

}  // namespace gantry::config
