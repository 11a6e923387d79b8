#pragma once

#include "gantry/config/loader.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace gantry::config {

/// A setting's text and the layer that it came from.
struct Entry {
    std::string text;
    std::string source;
};

/// Collects the layers in their order; a later layer replaces what an earlier one said of a key.
class Layers {
public:
    /// `keys` are the declared ones, `booleans` those of them whose flag needs no value.
    Layers(std::vector<std::string> keys, std::set<std::string> booleans)
        : keys_(std::move(keys)), booleans_(std::move(booleans)) {}

    /// Reads the whole command line; its settings go in when `apply_flags` is called.
    void read_flags(const std::vector<std::string>& arguments);

    /// `must_exist` for a file that was named on the command line.
    void apply_file(const std::string& path, bool must_exist);
    void apply_secrets(const std::string& folder);
    void apply_environment(const std::map<std::string, std::string>& environment);
    void apply_flags();

    // What was read; public because this class is internal to the library.
    std::map<std::string, Entry> entries;
    std::vector<Fault> faults;
    Request request = Request::run;
    std::string config_file;
    std::string secrets_folder;

private:
    bool read_special(const std::string& name, const std::string& value);
    void put(const std::string& key, std::string text, std::string source);

    std::vector<std::string> keys_;
    std::set<std::string> booleans_;
    std::vector<std::pair<std::string, std::string>> flags_;
};

}  // namespace gantry::config
