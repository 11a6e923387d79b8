#include "gantry/config/loader.hpp"

#include "range.hpp"

#include <yaml-cpp/yaml.h>
#include <algorithm>
#include <sstream>

namespace gantry::config {
namespace {

std::string shown(const Setting& setting, const std::string& value) {
    return setting.is_secret && !value.empty() ? "***" : value;
}

std::string quoted(const std::string& text) {
    YAML::Emitter out;
    out << YAML::DoubleQuoted << text;
    return out.c_str();
}

std::string yaml_value(const Setting& setting) {
    const std::string value = shown(setting, setting.show());
    if (setting.type == "text") {
        return quoted(value);
    }
    if (setting.type == "list") {
        std::string out = "[";
        std::istringstream items(value);
        for (std::string item; std::getline(items, item, ',');) {
            out += (out.size() > 1 ? ", " : "") + quoted(item);
        }
        return out + "]";
    }
    return value;
}

// `required`, the default and the bounds, in words.
std::string allowed_text(const Setting& setting) {
    std::string out;
    const auto add = [&](const std::string& part) { out += (out.empty() ? "" : "; ") + part; };
    if (setting.is_required) {
        add("required");
    }
    if (!setting.allowed.empty()) {
        std::string values;
        for (const std::string& value : setting.allowed) {
            values += (values.empty() ? "" : ", ") + value;
        }
        add("one of " + values);
    }
    if (const std::string range = range_text(setting); !range.empty()) {
        add(range);
    }
    if (setting.is_secret) {
        add("secret");
    }
    if (setting.is_reloadable) {
        add("reloadable");
    }
    return out;
}

std::string table_cell(std::string text) {
    for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
        text.insert(at, "\\");
    }
    return text;
}

}  // namespace

std::string print_config(const Binder& binder, const Loaded& loaded) {
    std::vector<const Setting*> settings;
    for (const auto& setting : binder.settings()) {
        settings.push_back(setting.get());
    }
    std::ranges::sort(settings, {}, [](const Setting* setting) { return setting->key; });
    std::ostringstream out;
    std::vector<std::string> open;  // The maps around the current line, outermost first.
    for (const Setting* setting : settings) {
        std::vector<std::string> path;
        std::istringstream words(setting->key);
        for (std::string word; std::getline(words, word, '.');) {
            path.push_back(word);
        }
        const std::string leaf = path.back();
        path.pop_back();
        const auto common =
            static_cast<std::size_t>(std::ranges::mismatch(open, path).in1 - open.begin());
        for (std::size_t depth = common; depth < path.size(); ++depth) {
            out << std::string(depth * 2, ' ') << path[depth] << ":\n";
        }
        open = path;
        out << std::string(path.size() * 2, ' ') << leaf << ": " << yaml_value(*setting);
        const auto source = loaded.sources.find(setting->key);
        if (source != loaded.sources.end()) {
            out << "  # " << source->second;
        }
        out << "\n";
    }
    return out.str();
}

std::string help(const Binder& binder, std::string_view program, std::string_view summary) {
    std::ostringstream out;
    out << program << ": " << summary << "\n\n"
        << "Usage: " << program << " [--key=value …]\n\n"
        << "Each setting comes from, the last winning: its default, the YAML file, a folder of "
           "secret\n"
           "files, the environment (kafka.brokers is GANTRY__KAFKA__BROKERS) and the command "
           "line.\n\n"
        << "  --config FILE        YAML file (default /etc/gantry/config.yaml if it exists)\n"
        << "  --secrets-dir DIR    a file for each setting, named by its key\n"
        << "  --print-config       show the effective settings, secrets masked, and exit\n"
        << "  --version            show the version and exit\n"
        << "  --help               show this and exit; --help=markdown shows the settings as a\n"
        << "                       table\n\n"
        << "Settings marked reloadable change while the process runs: on SIGHUP, and when the "
           "file\n"
        << "or the folder changes. The others wait for a restart.\n\nSettings:\n";
    for (const auto& setting : binder.settings()) {
        out << "  --" << setting->key << "=<" << setting->type << ">\n      " << setting->help
            << "\n";
        std::string notes = allowed_text(*setting);
        if (const auto value = shown(*setting, setting->default_value); !value.empty()) {
            notes += (notes.empty() ? "default " : "; default ") + value;
        }
        if (!notes.empty()) {
            out << "      (" << notes << ")\n";
        }
    }
    return out.str();
}

std::string markdown_table(const Binder& binder) {
    std::ostringstream out;
    out << "| Setting | Type | Default | Meaning |\n|---|---|---|---|\n";
    for (const auto& setting : binder.settings()) {
        const std::string value = shown(*setting, setting->default_value);
        const std::string notes = allowed_text(*setting);
        out << "| `" << setting->key << "` | " << setting->type << " | "
            << (value.empty() ? "" : "`" + table_cell(value) + "`") << " | "
            << table_cell(setting->help) << (notes.empty() ? "" : " (" + table_cell(notes) + ")")
            << " |\n";
    }
    return out.str();
}

}  // namespace gantry::config
