#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/jobs/job.hpp"
#include "gantry/orders/order.hpp"
#include "gantry/postgres/pool.hpp"

#include <optional>
#include <string>
#include <vector>

namespace gantry::orders {

/// Which orders to list.
struct OrderFilter {
    std::string number;            ///< Empty: every number.
    std::string facility;          ///< Empty: every facility.
    std::optional<Status> status;  ///< Absent: every status.
    int page_size = 0;             ///< 1 to 1000; 0: 100.
    std::string page_token;        ///< Of the page before; empty: the newest.
};

/// A page of orders.
struct OrderPage {
    std::vector<Order> orders;
    std::string next_page_token;  ///< Empty on the last page.
};

/// Whether an order was stored now.
enum class Stored { made, existed };

/// Orders in PostgreSQL, their events in the outbox. Thread-safe.
class OrderStore {
public:
    /// `events_topic` is the full name of the topic of orders' events.
    OrderStore(postgres::Pool& pool, Clock& clock, std::string events_topic)
        : pool_(pool), clock_(clock), events_topic_(std::move(events_topic)) {}

    /// Stores an order and its event `orders.order_created`. `already_exists` (`ORDER_EXISTS`) with
    /// the first one's id in `fields` if the facility has an order of that number.
    Result<Order> create(const NewOrder& order, Deadline deadline);

    /// One order; `not_found` naming the id.
    Result<Order> find(const Uuid& id, Deadline deadline);

    /// Orders, newest first.
    Result<OrderPage> list(const OrderFilter& filter, Deadline deadline);

    /// Queues the job `orders.process` and gives it back; the unfinished one if there is one.
    /// `not_found`, or `failed_precondition` (`ORDER_PROCESSED`).
    Result<jobs::Job> process(const Uuid& id, Deadline deadline);

    /// Within a transaction: stores an order that may exist already, with its event if it does not.
    Result<Stored> create_in(postgres::Transaction& transaction, const NewOrder& order) const;

    /// Within a job's completion: the order is processed, with its event `orders.order_processed`.
    /// Nothing happens if it is already; `not_found` if there is no such order.
    Result<void> mark_processed(postgres::Transaction& transaction, const Uuid& id) const;

    /// Within the transaction in which `job` becomes dead: its order has failed.
    Result<void> mark_failed(postgres::Transaction& transaction, const Uuid& id,
                             const Uuid& job) const;

private:
    Result<std::optional<Order>> insert(postgres::Transaction& transaction,
                                        const NewOrder& order) const;
    Result<void> publish(postgres::Transaction& transaction, const Order& order,
                         const std::string& type) const;

    // Constant after construction.
    postgres::Pool& pool_;
    Clock& clock_;
    std::string events_topic_;
};

}  // namespace gantry::orders
