#pragma once

#include <string>

namespace gantry::config {

/// The files that a configuration is read from.
struct Files {
    std::string config;   ///< The YAML file, whether it exists or not.
    std::string secrets;  ///< The folder of secret files; empty if there is none.
};

/// A text that differs whenever the files may have changed: it names the file behind each name,
/// its size and its times, and where the `..data` links of their folders lead, which is how
/// Kubernetes swaps all files of a volume at once. Contents are not read; a missing file counts as
/// such. Costs a few system calls.
std::string state_of(const Files& files);

}  // namespace gantry::config
