#pragma once

#include "gantry/base/result.hpp"
#include "gantry/base/uuid.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

/// Structured logs: one JSON object a line on standard output, or text on a terminal.
///
/// Thread-safe. Nothing logged may hold payloads or personal data: refer to them by id, size and
/// hash.
namespace gantry::logging {

enum class Level { debug, info, warning, error };

/// A key and a value beside the message. It borrows text; use it as an argument only.
class Field {
public:
    enum class Kind { text, integer, real, boolean };

    Field(std::string_view name, std::string_view value)
        : key(name), kind(Kind::text), text(value) {}
    Field(std::string_view name, const char* value) : Field(name, std::string_view(value)) {}
    Field(std::string_view name, const std::string& value) : Field(name, std::string_view(value)) {}
    Field(std::string_view name, const Uuid& value)
        : key(name), kind(Kind::text), owned(value.to_string()) {}
    Field(std::string_view name, bool value)
        : key(name), kind(Kind::boolean), integer(value ? 1 : 0) {}
    Field(std::string_view name, std::chrono::milliseconds value)
        : key(name), kind(Kind::integer), integer(value.count()) {}
    template <std::integral T>
        requires(!std::same_as<T, bool>)
    Field(std::string_view name, T value)
        : key(name), kind(Kind::integer), integer(static_cast<std::int64_t>(value)) {}
    template <std::floating_point T>
    Field(std::string_view name, T value)
        : key(name), kind(Kind::real), real(static_cast<double>(value)) {}

    [[nodiscard]] std::string_view as_text() const {
        return owned.empty() ? text : std::string_view(owned);
    }

    std::string_view key;
    Kind kind;
    std::string_view text;
    std::string owned;
    std::int64_t integer = 0;
    double real = 0;
};

using Fields = std::initializer_list<Field>;

/// How the process logs.
struct Options {
    std::string level = "info";   ///< debug, info, warning, error.
    std::string format = "auto";  ///< json, text, or auto: text on a terminal, else json.
    std::string service;          ///< Goes into every line.
};

/// Sets the process's sink. Before it is called, lines go out as JSON at info.
void configure(const Options& options);

/// Sets the least level that is written.
void set_level(Level level);
/// The same by name; an unknown name means info.
void set_level(std::string_view name);
[[nodiscard]] bool enabled(Level level);

void write(Level level, std::string_view message, Fields fields = {});

inline void debug(std::string_view message, Fields fields = {}) {
    if (enabled(Level::debug)) {
        write(Level::debug, message, fields);
    }
}
inline void info(std::string_view message, Fields fields = {}) {
    write(Level::info, message, fields);
}
inline void warning(std::string_view message, Fields fields = {}) {
    write(Level::warning, message, fields);
}
inline void error(std::string_view message, Fields fields = {}) {
    write(Level::error, message, fields);
}

/// One line for a failure, with its code and reason as fields.
void error(std::string_view message, const Error& failure, Fields fields = {});
void warning(std::string_view message, const Error& failure, Fields fields = {});

/// Sends every line to `sink` as well while it lives, for tests. One at a time.
class Capture {
public:
    Capture();
    ~Capture();
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;
    /// The JSON lines so far.
    [[nodiscard]] std::string text() const;

private:
    std::unique_ptr<std::string> text_;
};

}  // namespace gantry::logging
