#include "gantry/postgres/rows.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/base/time.hpp"
#include "rows_impl.hpp"

#include <charconv>
#include <stdexcept>

namespace gantry::postgres {
namespace {

[[noreturn]] void mismatch(const char* what) {
    throw std::logic_error(std::string("statement and code disagree: ") + what);
}

template <class Number>
Number number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        mismatch("a column is not a number of the wanted size");
    }
    return value;
}

}  // namespace

bool Row::is_null(int column) const {
    const auto& result = rows_->impl_->result;
    if (number_ >= rows_->size() || column < 0 || column >= static_cast<int>(result.columns())) {
        mismatch("no such row or column");
    }
    return result[static_cast<pqxx::result::size_type>(number_)][column].is_null();
}

std::string_view Row::text(int column) const {
    if (is_null(column)) {
        mismatch("a column is NULL");
    }
    const auto field = rows_->impl_->result[static_cast<pqxx::result::size_type>(number_)][column];
    return {field.c_str(), field.size()};
}

std::string Row::bytes(int column) const {
    const auto hex = text(column);
    if (!hex.starts_with("\\x")) {
        mismatch("a column is not bytea in hex form");
    }
    auto bytes = hex_decode(hex.substr(2));
    if (!bytes) {
        mismatch("a column is not bytea in hex form");
    }
    return *std::move(bytes);
}

int Row::column_number(std::string_view name) const {
    const auto& result = rows_->impl_->result;
    for (int column = 0; column < static_cast<int>(result.columns()); ++column) {
        if (name == result.column_name(column)) {
            return column;
        }
    }
    mismatch("no column of this name");
}

std::string Row::get_value(int column, const std::string* /*tag*/) const {
    return std::string(text(column));
}

bool Row::get_value(int column, const bool* /*tag*/) const {
    return text(column) == "t";
}

int Row::get_value(int column, const int* /*tag*/) const {
    return number<int>(text(column));
}

std::int64_t Row::get_value(int column, const std::int64_t* /*tag*/) const {
    return number<std::int64_t>(text(column));
}

std::uint64_t Row::get_value(int column, const std::uint64_t* /*tag*/) const {
    return number<std::uint64_t>(text(column));
}

double Row::get_value(int column, const double* /*tag*/) const {
    return number<double>(text(column));
}

Uuid Row::get_value(int column, const Uuid* /*tag*/) const {
    const auto id = Uuid::parse(text(column));
    if (!id) {
        mismatch("a column is not a UUID");
    }
    return *id;
}

Instant Row::get_value(int column, const Instant* /*tag*/) const {
    // A session's zone is UTC, which PostgreSQL writes as "+00".
    const auto instant = parse_rfc3339(std::string(text(column)) + ":00");
    if (!instant) {
        mismatch("a column is not a finite timestamptz");
    }
    return *instant;
}

std::size_t Rows::size() const {
    return impl_ ? static_cast<std::size_t>(impl_->result.size()) : 0;
}

std::size_t Rows::affected() const {
    return impl_ ? static_cast<std::size_t>(impl_->result.affected_rows()) : 0;
}

}  // namespace gantry::postgres
