#pragma once

#include "gantry/postgres/rows.hpp"

#include <pqxx/result>

namespace gantry::postgres {

class Rows::Impl {
public:
    explicit Impl(pqxx::result wrapped) : result(std::move(wrapped)) {}
    pqxx::result result;
};

}  // namespace gantry::postgres
