#pragma once

#include "gantry/base/units.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::config {

/// One setting as an options struct declared it: its key, where its value goes, what is allowed.
///
/// The chained calls refine it: `binder.add("kafka.brokers", brokers, "…").required();`
class Setting {
public:
    /// Absent or empty is a fault.
    Setting& required();
    /// Numbers, durations (in their own unit: milliseconds) and sizes (bytes) outside are a fault.
    Setting& range(std::int64_t least, std::int64_t most);
    /// Only these values are allowed.
    Setting& one_of(std::initializer_list<std::string_view> allowed);
    /// Shown as `***` everywhere.
    Setting& secret();
    /// May change while the process runs.
    Setting& reloadable();
    /// An address to listen on: an IP address or `localhost`, `:` and a port; IPv6 in brackets.
    Setting& listen_address();
    /// A further rule: returns what is allowed when the text is refused, empty when it is fine.
    Setting& check(std::function<std::string(std::string_view)> rule);

    // Filled by Binder, read by the loader and by the help and table writers.
    std::string key;
    std::string help;
    std::string type;  ///< "text", "integer", "number", "boolean", "duration", "size", "list".
    std::string default_value;  ///< As text, before any layer was applied.
    bool is_required = false;
    bool is_secret = false;
    bool is_reloadable = false;
    std::int64_t least = INT64_MIN;
    std::int64_t most = INT64_MAX;
    std::vector<std::string> allowed;
    std::vector<std::function<std::string(std::string_view)>> rules;
    /// Parses the text and stores it; the error says what is allowed.
    std::function<Result<void>(std::string_view)> assign;
    /// The value as text, as stored now.
    std::function<std::string()> show;
    /// The value as a number in the unit of `range`; empty for what is no number.
    std::function<double()> measure;
};

/// Collects the settings of options structs. An options struct is plain and has
/// `void bind(config::Binder& binder)` that adds each field under its key.
///
/// Keys are dotted lower-case words. Not thread-safe; used during start-up and reload only. The
/// bound fields must outlive the binder.
class Binder {
public:
    Setting& add(std::string key, std::string& field, std::string help);
    Setting& add(std::string key, bool& field, std::string help);
    Setting& add(std::string key, int& field, std::string help);
    Setting& add(std::string key, std::int64_t& field, std::string help);
    Setting& add(std::string key, double& field, std::string help);
    Setting& add(std::string key, std::chrono::milliseconds& field, std::string help);
    Setting& add(std::string key, ByteSize& field, std::string help);
    /// A comma-separated list, or a YAML sequence.
    Setting& add(std::string key, std::vector<std::string>& field, std::string help);

    /// The declared settings in the order of declaration.
    [[nodiscard]] const std::vector<std::unique_ptr<Setting>>& settings() const {
        return settings_;
    }

private:
    Setting& emplace(std::string key, std::string_view type, std::string help);
    std::vector<std::unique_ptr<Setting>> settings_;
};

}  // namespace gantry::config
