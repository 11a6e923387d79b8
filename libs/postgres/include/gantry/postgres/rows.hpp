#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/uuid.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace gantry::postgres {

class Rows;

/// One row of a result. Borrows from its `Rows`.
///
/// Reading a column that does not exist, a NULL as a plain value, or text that is not of the wanted
/// type throws `std::logic_error`: statement and code disagree, which no caller can mend.
class Row {
public:
    [[nodiscard]] bool is_null(int column) const;

    /// The column's text as PostgreSQL sent it; valid as long as the `Rows`.
    [[nodiscard]] std::string_view text(int column) const;

    /// The column's bytes, decoded from `bytea`.
    [[nodiscard]] std::string bytes(int column) const;

    /// The column as `T`: std::string, bool, int, std::int64_t, std::uint64_t, double, Uuid,
    /// Instant, or a std::optional of one of them.
    template <class T>
    [[nodiscard]] T get(int column) const {
        if constexpr (requires { typename T::value_type; } && !std::is_same_v<T, std::string>) {
            if (is_null(column)) {
                return std::nullopt;
            }
            return get_value(column, static_cast<typename T::value_type*>(nullptr));
        } else {
            return get_value(column, static_cast<T*>(nullptr));
        }
    }

    /// The same by the column's name.
    template <class T>
    [[nodiscard]] T get(std::string_view column) const {
        return get<T>(column_number(column));
    }

    [[nodiscard]] int column_number(std::string_view name) const;

private:
    friend class Rows;
    Row(const Rows& rows, std::size_t number) : rows_(&rows), number_(number) {}

    std::string get_value(int column, const std::string* tag) const;
    bool get_value(int column, const bool* tag) const;
    int get_value(int column, const int* tag) const;
    std::int64_t get_value(int column, const std::int64_t* tag) const;
    std::uint64_t get_value(int column, const std::uint64_t* tag) const;
    double get_value(int column, const double* tag) const;
    Uuid get_value(int column, const Uuid* tag) const;
    Instant get_value(int column, const Instant* tag) const;

    const Rows* rows_;
    std::size_t number_;
};

/// What a statement gave. Cheap to copy; a value that may go to another thread.
class Rows {
public:
    class Impl;
    Rows() = default;
    explicit Rows(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] Row operator[](std::size_t number) const { return Row(*this, number); }
    [[nodiscard]] Row front() const { return Row(*this, 0); }
    /// Rows that an INSERT, UPDATE or DELETE changed.
    [[nodiscard]] std::size_t affected() const;

    class Iterator {
    public:
        Iterator(const Rows& rows, std::size_t number) : rows_(&rows), number_(number) {}
        Row operator*() const { return (*rows_)[number_]; }
        Iterator& operator++() {
            ++number_;
            return *this;
        }
        friend bool operator==(const Iterator&, const Iterator&) = default;

    private:
        const Rows* rows_;
        std::size_t number_;
    };
    [[nodiscard]] Iterator begin() const { return {*this, 0}; }
    [[nodiscard]] Iterator end() const { return {*this, size()}; }

private:
    friend class Row;
    std::shared_ptr<const Impl> impl_;
};

}  // namespace gantry::postgres
