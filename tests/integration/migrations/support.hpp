#pragma once

#include "gantry/testing/test_database.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace gantry::testing {

/// A session that stays open, for what a test does in steps.
class Session {
public:
    explicit Session(const TestDatabase& database) : connection_(database.connect()) {}

    /// Runs a statement; throws on an error.
    postgres::Rows exec(std::string_view sql, const postgres::Params& params = {}) {
        auto rows = connection_->exec(sql, params);
        if (!rows) {
            throw std::runtime_error(rows.error().reason + " " + rows.error().message);
        }
        return *std::move(rows);
    }

    /// The first column of the first row.
    template <class T>
    T value(std::string_view sql, const postgres::Params& params = {}) {
        return exec(sql, params).front().get<T>(0);
    }

    /// Runs a statement that must fail; its error.
    Error error(std::string_view sql, const postgres::Params& params = {}) {
        auto rows = connection_->exec(sql, params);
        EXPECT_FALSE(rows) << sql;
        return rows ? Error{} : std::move(rows).error();
    }

    postgres::Connection& connection() { return *connection_; }

private:
    std::unique_ptr<postgres::Connection> connection_;
};

}  // namespace gantry::testing
