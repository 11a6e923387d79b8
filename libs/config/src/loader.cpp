#include "gantry/config/loader.hpp"

#include "layers.hpp"
#include "range.hpp"

#include <unistd.h>
#include <algorithm>

namespace gantry::config {
namespace {

// What is wrong with the stored value, empty if nothing is.
std::string problem_of(const Setting& setting) {
    const std::string text = setting.show();
    if (text.empty()) {
        return setting.is_required ? "is required" : "";
    }
    if (setting.measure) {
        const double value = setting.measure();
        const auto least = static_cast<double>(setting.least);
        const auto most = static_cast<double>(setting.most);
        if (!(value >= least && value <= most)) {
            return "must be " + range_text(setting);
        }
    }
    if (!setting.allowed.empty() &&
        std::ranges::find(setting.allowed, text) == setting.allowed.end()) {
        std::string problem = "must be one of";
        for (const std::string& value : setting.allowed) {
            problem += (value == setting.allowed.front() ? " " : ", ") + value;
        }
        return problem;
    }
    for (const auto& rule : setting.rules) {
        if (std::string problem = rule(text); !problem.empty()) {
            return problem;
        }
    }
    return {};
}

// Stores the entry's text and says what is wrong with it. A secret's text is never repeated.
std::string apply(Setting& setting, const Entry* entry) {
    std::string problem;
    if (entry != nullptr) {
        // Empty is "not set" for what has no empty value, so that a template may leave a hole.
        if (entry->text.empty() && setting.type != "text" && setting.type != "list") {
            return setting.is_required ? "is required" : "";
        }
        if (const auto stored = setting.assign(entry->text); !stored) {
            problem = stored.error().message;
        }
    }
    if (problem.empty()) {
        problem = problem_of(setting);
    }
    constexpr std::size_t kLongestShown = 80;
    if (!problem.empty() && entry != nullptr && !setting.is_secret && !entry->text.empty() &&
        entry->text.size() <= kLongestShown) {
        problem += " (it is `" + entry->text + "`)";
    }
    return problem;
}

}  // namespace

Sources Sources::of_process(int argc, char** argv) {
    Sources sources;
    for (int i = 1; i < argc; ++i) {
        sources.arguments.emplace_back(argv[i]);
    }
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
        const std::string_view text = *variable;
        const auto equals = text.find('=');
        if (text.starts_with("GANTRY__") && equals != std::string_view::npos) {
            sources.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
        }
    }
    return sources;
}

Loaded load(Binder& binder, const Sources& sources) {
    std::vector<std::string> keys;
    std::set<std::string> booleans;
    for (const auto& setting : binder.settings()) {
        keys.push_back(setting->key);
        if (setting->type == "boolean") {
            booleans.insert(setting->key);
        }
    }
    Layers layers(std::move(keys), std::move(booleans));
    layers.read_flags(sources.arguments);
    Loaded loaded;
    loaded.request = layers.request;
    if (layers.request != Request::run && layers.request != Request::print_config) {
        return loaded;
    }

    const bool named = !layers.config_file.empty();
    loaded.files = {named ? layers.config_file : sources.default_file, layers.secrets_folder};
    loaded.state = state_of(loaded.files);
    layers.apply_file(loaded.files.config, named);
    if (!layers.secrets_folder.empty()) {
        layers.apply_secrets(layers.secrets_folder);
    }
    layers.apply_environment(sources.environment);
    layers.apply_flags();
    loaded.faults = std::move(layers.faults);

    for (const auto& setting : binder.settings()) {
        const auto found = layers.entries.find(setting->key);
        const Entry* entry = found == layers.entries.end() ? nullptr : &found->second;
        loaded.sources[setting->key] = entry == nullptr ? "default" : entry->source;
        if (std::string problem = apply(*setting, entry); !problem.empty()) {
            loaded.faults.push_back(
                {setting->key, loaded.sources[setting->key], std::move(problem)});
        }
    }
    return loaded;
}

void add_faults(Loaded& loaded, std::vector<Fault> faults) {
    for (Fault& fault : faults) {
        if (const auto known = loaded.sources.find(fault.key);
            fault.source.empty() && known != loaded.sources.end()) {
            fault.source = known->second;
        }
        loaded.faults.push_back(std::move(fault));
    }
}

std::string to_string(const Fault& fault) {
    std::string text = fault.key + ": " + fault.problem;
    return fault.source.empty() ? text : text + " [" + fault.source + "]";
}

}  // namespace gantry::config
