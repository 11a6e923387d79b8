#include "layers.hpp"

#include "nearest.hpp"

#include <yaml-cpp/yaml.h>
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>

namespace gantry::config {
namespace {

constexpr std::string_view kPrefix = "GANTRY__";

// Nothing, and the reason in errno, if the file cannot be read.
std::optional<std::string> read_file(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    // A folder opens like a file and fails when it is read.
    if (!file || (file.peek() != std::ifstream::traits_type::eof() && !(text << file.rdbuf())) ||
        file.bad()) {
        return std::nullopt;
    }
    return std::move(text).str();
}

// GANTRY__KAFKA__TOPIC_PREFIX → kafka.topic_prefix.
std::string key_of_variable(std::string_view name) {
    std::string key;
    name.remove_prefix(kPrefix.size());
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name.substr(i, 2) == "__") {
            key += '.';
            ++i;
        } else {
            const char c = name[i];
            key += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
    }
    return key;
}

using Put = std::function<void(const std::string& key, std::string text, int line)>;
using Refuse = std::function<void(const std::string& key, std::string problem, int line)>;

// Walks nested maps down to scalars and lists of scalars.
void flatten(const YAML::Node& node, const std::string& key, const Put& put, const Refuse& refuse) {
    const int line = node.Mark().line + 1;
    if (node.IsMap()) {
        for (const auto& member : node) {
            if (!member.first.IsScalar()) {
                refuse(key, "must have plain words as keys", line);
                continue;
            }
            const auto& name = member.first.Scalar();
            flatten(member.second, key.empty() ? name : key + "." + name, put, refuse);
        }
    } else if (key.empty()) {
        if (!node.IsNull()) {
            refuse(key, "must be a map of settings", line);
        }
    } else if (node.IsScalar()) {
        put(key, node.Scalar(), line);
    } else if (node.IsSequence()) {
        std::string text;
        for (const auto& item : node) {
            if (!item.IsScalar() || item.Scalar().find(',') != std::string::npos) {
                refuse(key, "must be a list of plain values without commas", line);
                return;
            }
            text += text.empty() ? "" : ",";
            text += item.Scalar();
        }
        put(key, text, line);
    }
    // A key without a value keeps its default.
}

}  // namespace

void Layers::put(const std::string& key, std::string text, std::string source) {
    if (std::ranges::find(keys_, key) == keys_.end()) {
        const std::string meant = nearest(key, keys_);
        std::string problem = "unknown setting";
        if (!meant.empty()) {
            problem += "; did you mean `" + meant + "`?";
        }
        faults.push_back({key, std::move(source), std::move(problem)});
        return;
    }
    entries[key] = {std::move(text), std::move(source)};
}

bool Layers::read_special(const std::string& name, const std::string& value) {
    if (name == "help") {
        request = value == "markdown" ? Request::help_markdown : Request::help;
    } else if (name == "version") {
        request = Request::version;
    } else if (name == "print-config") {
        request = Request::print_config;
    } else if (name == "config") {
        config_file = value;
    } else if (name == "secrets-dir") {
        secrets_folder = value;
    } else {
        return false;
    }
    return true;
}

void Layers::read_flags(const std::vector<std::string>& arguments) {
    const auto takes_value = [&](const std::string& name) {
        return name != "help" && name != "version" && name != "print-config" &&
               !booleans_.contains(name);
    };
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& argument = arguments[i];
        if (argument == "-h") {
            request = Request::help;
            continue;
        }
        if (!argument.starts_with("--") || argument.size() == 2) {
            faults.push_back({argument, "command line", "is no flag; settings are `--key=value`"});
            continue;
        }
        const auto equals = argument.find('=');
        const std::string name =
            argument.substr(2, equals == std::string::npos ? equals : equals - 2);
        std::string value;
        if (equals != std::string::npos) {
            value = argument.substr(equals + 1);
        } else if (!takes_value(name)) {
            value = "true";
        } else if (i + 1 < arguments.size() && !arguments[i + 1].starts_with("--")) {
            value = arguments[++i];
        } else {
            faults.push_back({name, "flag --" + name, "needs a value: `--" + name + "=…`"});
            continue;
        }
        if (!read_special(name, value)) {
            flags_.emplace_back(name, std::move(value));
        }
    }
}

void Layers::apply_flags() {
    for (auto& [name, value] : flags_) {
        put(name, std::move(value), "flag --" + name);
    }
    flags_.clear();
}

void Layers::apply_file(const std::string& path, bool must_exist) {
    const auto text = read_file(path);
    const std::string source = "file " + path;
    if (!text) {
        if (must_exist || errno != ENOENT) {
            faults.push_back(
                {"--config", source, "cannot be read: " + std::generic_category().message(errno)});
        }
        return;
    }
    const auto at = [&](int line) { return source + ": line " + std::to_string(line); };
    std::set<std::string> seen;
    try {
        flatten(
            YAML::Load(*text), {},
            [&](const std::string& key, std::string value, int line) {
                if (!seen.insert(key).second) {
                    faults.push_back({key, at(line), "stands twice in the file"});
                    return;
                }
                put(key, std::move(value), at(line));
            },
            [&](const std::string& key, std::string problem, int line) {
                faults.push_back({key.empty() ? "--config" : key, at(line), std::move(problem)});
            });
    } catch (const YAML::Exception& error) {
        // The parser's text may quote the file, which may hold a secret: only the place is told.
        faults.push_back({"--config", at(error.mark.line + 1), "is not well-formed YAML"});
    }
}

void Layers::apply_secrets(const std::string& folder) {
    std::error_code problem;
    std::vector<std::filesystem::path> files;
    for (std::filesystem::directory_iterator at(folder, problem), end; !problem && at != end;
         at.increment(problem)) {
        // Kubernetes keeps the real files of a volume under names that begin with `..`.
        std::error_code ignored;
        if (!at->path().filename().string().starts_with('.') && at->is_regular_file(ignored)) {
            files.push_back(at->path());
        }
    }
    if (problem) {
        faults.push_back(
            {"--secrets-dir", "folder " + folder, "cannot be read: " + problem.message()});
        return;
    }
    std::ranges::sort(files);
    for (const auto& path : files) {
        auto text = read_file(path.string());
        if (!text) {
            faults.push_back({path.filename().string(), "file " + path.string(), "cannot be read"});
            continue;
        }
        while (text->ends_with('\n') || text->ends_with('\r')) {
            text->pop_back();
        }
        put(path.filename().string(), std::move(*text), "file " + path.string());
    }
}

void Layers::apply_environment(const std::map<std::string, std::string>& environment) {
    for (const auto& [name, value] : environment) {
        if (name.starts_with(kPrefix)) {
            put(key_of_variable(name), value, "environment " + name);
        }
    }
}

}  // namespace gantry::config
