#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/uuid.hpp"

#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::postgres {

/// Marks bytes for a `bytea` parameter. It borrows.
struct Bytes {
    std::string_view bytes;
};

/// One parameter of a statement, in PostgreSQL's text form, or NULL. The server infers its type, so
/// write a cast where that is unclear: `$1::uuid[]`.
class Param {
public:
    Param(std::nullptr_t) {}
    Param(std::nullopt_t) {}
    Param(std::string text) : text_(std::move(text)) {}
    Param(std::string_view text) : text_(text) {}
    Param(const char* text) : text_(text) {}
    Param(bool value) : text_(value ? "t" : "f") {}
    Param(double value);
    Param(const Uuid& id) : text_(id.to_string()) {}
    Param(Instant at);
    Param(Bytes bytes);
    /// A duration as an `interval`.
    template <class Rep, class Period>
    Param(std::chrono::duration<Rep, Period> duration)
        : text_(std::to_string(
                    std::chrono::duration_cast<std::chrono::microseconds>(duration).count()) +
                " microseconds") {}
    template <std::integral T>
        requires(!std::same_as<T, bool> && !std::same_as<T, char>)
    Param(T value) : text_(std::to_string(value)) {}
    /// An empty optional is NULL.
    template <class T>
    Param(const std::optional<T>& value) {
        if (value) {
            text_ = Param(*value).text_;
        }
    }

    /// The parameter's text; nothing for NULL.
    [[nodiscard]] const std::optional<std::string>& text() const { return text_; }

private:
    std::optional<std::string> text_;
};

using Params = std::vector<Param>;

/// An array literal of the elements' text forms, for `unnest($1::uuid[], …)`. `Bytes` become
/// `bytea[]`.
Param array(std::span<const Param> elements);

/// The same from any range of what a `Param` can be made from.
template <class Range>
    requires(!std::convertible_to<const Range&, std::span<const Param>>)
Param array(const Range& range) {
    Params elements;
    elements.reserve(std::size(range));
    for (const auto& element : range) {
        elements.emplace_back(element);
    }
    return array(std::span<const Param>(elements));
}

}  // namespace gantry::postgres
