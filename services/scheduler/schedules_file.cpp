#include "schedules_file.hpp"

#include "gantry/base/units.hpp"

#include <yaml-cpp/yaml.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>

namespace gantry::scheduler {
namespace {

constexpr std::string_view kKey = "scheduler.schedules_file";
constexpr std::size_t kLargestFile = 4 * 1024 * 1024;
constexpr int kDeepestPayload = 32;
constexpr std::string_view kAllowedKeys =
    "name, spec, dialect, time_zone, jitter, catch_up, data_interval, paused, job and event";

/// Collects faults while it walks the file.
class Reader {
public:
    explicit Reader(std::string_view path) : path_(path) {}

    SchedulesFile read(std::string_view text) {
        try {
            read_root(YAML::Load(std::string(text)));
        } catch (const YAML::Exception& error) {
            fault(error.mark, "is not YAML: " + error.msg);
        }
        return std::move(file_);
    }

    void fault(const YAML::Mark& mark, std::string problem) {
        std::string source = "file " + std::string(path_);
        if (mark.line >= 0) {
            source += ": line " + std::to_string(mark.line + 1);
        }
        file_.faults.push_back({std::string(kKey), std::move(source), std::move(problem)});
    }

private:
    using Handler = std::function<void(const YAML::Node&, const std::string&)>;

    /// Gives each entry of a mapping to the handler of its key; others are faults.
    void walk(const YAML::Node& node, const std::string& at,
              const std::map<std::string_view, Handler>& handlers, std::string_view allowed) {
        if (!node.IsMap()) {
            fault(node.Mark(), at + " must be a mapping of " + std::string(allowed));
            return;
        }
        std::set<std::string> seen;
        for (const auto& entry : node) {
            const auto key = entry.first.IsScalar() ? entry.first.Scalar() : std::string{};
            const auto where = at.empty() ? key : at + "." + key;
            const auto handler = handlers.find(key);
            if (handler == handlers.end()) {
                fault(entry.first.Mark(),
                      where + " is unknown; allowed are " + std::string(allowed));
            } else if (!seen.insert(key).second) {
                fault(entry.first.Mark(), where + " is there twice");
            } else {
                handler->second(entry.second, where);
            }
        }
    }

    void read_root(const YAML::Node& root) {
        if (root.IsNull()) {
            return;
        }
        walk(root, "",
             {{"schedules",
               [this](const YAML::Node& list, const std::string& at) {
                   if (list.IsNull()) {
                       return;
                   }
                   if (!list.IsSequence()) {
                       fault(list.Mark(), at + " must be a sequence");
                       return;
                   }
                   for (std::size_t i = 0; i < list.size(); ++i) {
                       read_schedule(list[i], at + "[" + std::to_string(i) + "]");
                   }
               }}},
             "schedules");
    }

    void read_schedule(const YAML::Node& node, const std::string& at) {
        const auto before = file_.faults.size();
        Definition one;
        const auto duration_to = [this](milliseconds& field) {
            return [this, &field](const YAML::Node& value, const std::string& where) {
                parsed(value, where, field, parse_duration(text_of(value, where)));
            };
        };
        walk(node, at,
             {{"name", text_to(one.name)},
              {"spec", text_to(one.spec)},
              {"dialect", text_to(one.dialect)},
              {"time_zone", text_to(one.time_zone)},
              {"jitter", duration_to(one.jitter)},
              {"data_interval",
               [&](const YAML::Node& value, const std::string& where) {
                   parsed(value, where, one.data_interval,
                          parse_data_interval(text_of(value, where)));
               }},
              {"paused",
               [&](const YAML::Node& value, const std::string& where) {
                   bool paused = false;
                   if (YAML::convert<bool>::decode(value, paused)) {
                       one.paused = paused;
                   } else {
                       fault(value.Mark(), where + " must be true or false");
                   }
               }},
              {"catch_up", [&](const YAML::Node& value,
                               const std::string& where) { read_catch_up(value, where, one); }},
              {"job",
               [&](const YAML::Node& value, const std::string& where) {
                   one.queue.emplace();
                   read_target(value, where, one, "queue", *one.queue);
               }},
              {"event",
               [&](const YAML::Node& value, const std::string& where) {
                   one.topic.emplace();
                   read_target(value, where, one, "topic", *one.topic);
               }}},
             kAllowedKeys);
        for (const auto& violation : faults_of(one)) {
            // What could not be read has been said already.
            const auto said = at + "." + violation.field;
            const bool repeated =
                std::any_of(file_.faults.begin() + static_cast<std::ptrdiff_t>(before),
                            file_.faults.end(), [&](const config::Fault& earlier) {
                                return earlier.problem.starts_with(said + " ");
                            });
            if (!repeated) {
                fault(node.Mark(), said + " " + violation.description);
            }
        }
        if (!one.name.empty() && !names_.insert(one.name).second) {
            fault(node.Mark(), at + ".name \"" + one.name.substr(0, 63) + "\" is there twice");
        }
        file_.definitions.push_back(std::move(one));
    }

    void read_catch_up(const YAML::Node& node, const std::string& at, Definition& one) {
        const auto policy = [&](const YAML::Node& value, const std::string& where) {
            parsed(value, where, one.catch_up, parse_catch_up(text_of(value, where)));
        };
        if (node.IsScalar()) {
            policy(node, at);
            return;
        }
        walk(node, at,
             {{"policy", policy},
              {"limit",
               [&](const YAML::Node& value, const std::string& where) {
                   parsed(value, where, one.catch_up_limit, whole_number(value, where));
               }},
              {"window",
               [&](const YAML::Node& value, const std::string& where) {
                   parsed(value, where, one.catch_up_window, parse_duration(text_of(value, where)));
               }}},
             "policy, limit and window");
    }

    void read_target(const YAML::Node& node, const std::string& at, Definition& one,
                     std::string_view destination, std::string& destination_field) {
        const auto allowed = std::string(destination) + ", type, key, payload and max_attempts";
        walk(node, at,
             {{destination, text_to(destination_field)},
              {"type", text_to(one.type)},
              {"key", [&](const YAML::Node& value,
                          const std::string& where) { one.key = text_of(value, where); }},
              {"max_attempts",
               [&](const YAML::Node& value, const std::string& where) {
                   one.max_attempts.emplace();
                   parsed(value, where, *one.max_attempts, whole_number(value, where));
               }},
              {"payload",
               [&](const YAML::Node& value, const std::string& where) {
                   one.payload = to_json(value, where, 0).dump();
               }}},
             allowed);
    }

    Handler text_to(std::string& field) {
        return [this, &field](const YAML::Node& value, const std::string& where) {
            field = text_of(value, where);
        };
    }

    std::string text_of(const YAML::Node& value, const std::string& where) {
        if (!value.IsScalar()) {
            fault(value.Mark(), where + " must be a text");
            return {};
        }
        return value.Scalar();
    }

    Result<int> whole_number(const YAML::Node& value, const std::string& where) {
        const auto text = text_of(value, where);
        int number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
            return invalid(where, "must be a whole number");
        }
        return number;
    }

    template <class T>
    void parsed(const YAML::Node& value, const std::string& where, T& field,
                const Result<T>& result) {
        if (result) {
            field = *result;
        } else if (value.IsScalar()) {
            const auto& error = result.error();
            fault(value.Mark(),
                  where + " " +
                      (error.fields.empty() ? error.message : error.fields.front().description));
        }
    }

    /// YAML to JSON: plain scalars become null, booleans or numbers where they look like one.
    nlohmann::ordered_json to_json(const YAML::Node& node, const std::string& where, int depth) {
        if (depth > kDeepestPayload) {
            fault(node.Mark(), where + " is nested more than 32 deep");
            return nullptr;
        }
        if (node.IsMap()) {
            auto out = nlohmann::ordered_json::object();
            for (const auto& entry : node) {
                out[text_of(entry.first, where)] = to_json(entry.second, where, depth + 1);
            }
            return out;
        }
        if (node.IsSequence()) {
            auto out = nlohmann::ordered_json::array();
            for (const auto& entry : node) {
                out.push_back(to_json(entry, where, depth + 1));
            }
            return out;
        }
        if (node.IsNull()) {
            return nullptr;
        }
        const auto& text = node.Scalar();
        const bool quoted = node.Tag() == "!";
        if (!quoted) {
            // What is a JSON number, true, false or null written plainly is one; all else is text.
            auto plain = nlohmann::ordered_json::parse(text, nullptr, false);
            if (plain.is_number() || plain.is_boolean() || plain.is_null()) {
                return plain;
            }
        }
        return text;
    }

    std::string_view path_;
    SchedulesFile file_;
    std::set<std::string> names_;
};

}  // namespace

SchedulesFile parse_schedules(std::string_view text, std::string_view path) {
    return Reader(path).read(text);
}

SchedulesFile read_schedules(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string text(kLargestFile + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    const auto length = static_cast<std::size_t>(in.gcount());
    const auto unusable = [&](std::string problem) {
        return SchedulesFile{{}, {{std::string(kKey), "file " + path, std::move(problem)}}};
    };
    if (in.bad() || (length == 0 && !in.eof())) {
        return unusable("must be a file that can be read");
    }
    if (length > kLargestFile) {
        return unusable("must be at most 4 MiB");
    }
    text.resize(length);
    return parse_schedules(text, path);
}

}  // namespace gantry::scheduler
