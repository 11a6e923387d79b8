#pragma once

#include "gantry/jobs/handler.hpp"
#include "gantry/orders/order_store.hpp"
#include "gantry/postgres/pool.hpp"

#include <string>

namespace gantry::orders {

/// Adds the domain's handlers: `orders.process` (payload `{"orderId": …}`), `orders.import_hl7`
/// (payload `{"messageId": …}`) and `reports.daily` (the payload of a schedule's fire; without one,
/// the report is on the day before). What they change in PostgreSQL commits with the end of their
/// job. `store` and `pool` must outlive the registry.
void add_handlers(jobs::Registry& registry, OrderStore& store, postgres::Pool& pool,
                  const std::string& events_topic);

}  // namespace gantry::orders
