#pragma once

#include "gantry/orders/order.hpp"
#include "gantry/postgres/rows.hpp"

#include <string_view>

namespace gantry::orders {

/// The columns that `to_order` reads, of a row named `o`.
inline constexpr std::string_view kOrderColumns =
    "o.id, o.number, o.facility, o.patient_ref, o.items, o.status, o.source, o.created_at, "
    "o.synced_at, o.processed_at";

Order to_order(const postgres::Row& row);

}  // namespace gantry::orders
