#pragma once

#include "gantry/base/result.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gantry::hl7 {

/// Where a value is in a message: `SEG[n]-field[repetition].component.subcomponent`, all counted
/// from 1, for example `PID-3[1].4`, `OBX[2]-5`, `MSH-9.2`. What is left out means: the first
/// segment of that name; the first repetition where a component is named, else the whole field;
/// all components; all sub-components. A value; thread-safe by copying.
class Path {
public:
    /// From a literal; a wrong one does not compile.
    consteval Path(const char* text)  // NOLINT: implicit, so that message.get("PID-3") reads well
        : Path(must(read(text))) {}

    /// From text known at run time. `invalid_argument` where it is not a path.
    static Result<Path> parse(std::string_view text);

    [[nodiscard]] constexpr std::string_view segment() const { return {segment_.data(), 3}; }
    [[nodiscard]] constexpr unsigned occurrence() const { return occurrence_; }
    [[nodiscard]] constexpr unsigned field() const { return field_; }
    /// 0: not named.
    [[nodiscard]] constexpr unsigned repetition() const { return repetition_; }
    /// 0: not named.
    [[nodiscard]] constexpr unsigned component() const { return component_; }
    /// 0: not named.
    [[nodiscard]] constexpr unsigned subcomponent() const { return subcomponent_; }

private:
    constexpr Path() = default;

    static constexpr Path must(std::optional<Path> path) {
        return path.value();  // not a constant expression when empty: the compiler says so
    }

    // A number of one to four digits, not 0; 0 where there is none.
    static constexpr unsigned number(std::string_view& rest) {
        unsigned value = 0;
        for (int digits = 0; digits < 4 && !rest.empty() && rest[0] >= '0' && rest[0] <= '9';
             ++digits) {
            value = value * 10 + static_cast<unsigned>(rest[0] - '0');
            rest.remove_prefix(1);
        }
        return value;
    }

    // `[n]` if it is there. False when it begins but is broken.
    static constexpr bool index(std::string_view& rest, unsigned& value) {
        if (!rest.starts_with('[')) {
            return true;
        }
        rest.remove_prefix(1);
        value = number(rest);
        if (value == 0 || !rest.starts_with(']')) {
            return false;
        }
        rest.remove_prefix(1);
        return true;
    }

    // `.n` if it is there. False when it begins but is broken.
    static constexpr bool part(std::string_view& rest, unsigned& value) {
        if (!rest.starts_with('.')) {
            return true;
        }
        rest.remove_prefix(1);
        value = number(rest);
        return value != 0;
    }

    static constexpr std::optional<Path> read(std::string_view text) {
        Path path;
        if (text.size() < 5) {
            return std::nullopt;
        }
        for (std::size_t i = 0; i < 3; ++i) {
            const char c = text[i];
            if (!((c >= 'A' && c <= 'Z') || (i > 0 && c >= '0' && c <= '9'))) {
                return std::nullopt;
            }
            path.segment_[i] = c;
        }
        text.remove_prefix(3);
        if (!index(text, path.occurrence_) || !text.starts_with('-')) {
            return std::nullopt;
        }
        text.remove_prefix(1);
        path.field_ = number(text);
        if (path.field_ == 0 || !index(text, path.repetition_) || !part(text, path.component_) ||
            !part(text, path.subcomponent_) || !text.empty()) {
            return std::nullopt;
        }
        return path;
    }

    std::array<char, 3> segment_{};
    unsigned occurrence_ = 1;
    unsigned field_ = 0;
    unsigned repetition_ = 0;
    unsigned component_ = 0;
    unsigned subcomponent_ = 0;
};

}  // namespace gantry::hl7
