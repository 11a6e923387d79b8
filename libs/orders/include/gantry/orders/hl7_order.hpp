#pragma once

#include "gantry/hl7/message.hpp"
#include "gantry/orders/order.hpp"

#include <vector>

namespace gantry::orders {

/// The new orders in an ORM^O01 or OML^O21: one per placer order number (ORC-2.1), with the items
/// of the OBR (OBR-4.1, quantity OBR-27.1) and RXO (RXO-1.1, quantity RXO-11) segments behind its
/// ORC; quantity 1 where none is given. Facility is MSH-4.1, the patient PID-3.1. Groups whose
/// ORC-1 is neither `NW` nor empty ask for something else than a new order and are left out.
///
/// `invalid_argument` naming the segments' fields at fault, never their values.
Result<std::vector<NewOrder>> orders_of(const hl7::Message& message);

}  // namespace gantry::orders
