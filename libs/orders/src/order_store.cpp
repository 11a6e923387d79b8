#include "gantry/orders/order_store.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/jobs/enqueuer.hpp"
#include "gantry/outbox/publish.hpp"
#include "gantry/tracing/trace.hpp"
#include "order_rows.hpp"

#include <utility>

namespace gantry::orders {
namespace {

constexpr int kDefaultPage = 100;
constexpr int kMaxPage = 1000;

std::string with_columns(std::string_view before, std::string_view after) {
    return std::string(before) + std::string(kOrderColumns) + std::string(after);
}

const char* const kInsert =
    "INSERT INTO orders.orders AS o (id, number, facility, patient_ref, items, source, message_id) "
    "VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7) "
    "ON CONFLICT (facility, number) DO NOTHING RETURNING ";

// The order's own index for each filter; ids are given in the order of time.
constexpr std::string_view kList = R"sql(
FROM orders.orders o
WHERE ($1::uuid IS NULL OR o.id < $1)
  AND ($2 = '' OR o.number = $2) AND ($3 = '' OR o.facility = $3) AND ($4 = '' OR o.status = $4)
ORDER BY o.id DESC LIMIT $5::integer)sql";

constexpr std::string_view kProcessing = R"sql(
UPDATE orders.orders o SET status = 'processing', job_id = $2, version = o.version + 1
WHERE o.id = $1 AND o.status <> 'processed'
  AND (o.status <> 'processing' OR o.job_id IS DISTINCT FROM $2))sql";

constexpr std::string_view kProcessed = R"sql(
UPDATE orders.orders o
SET status = 'processed', processed_at = clock_timestamp(), version = o.version + 1
WHERE o.id = $1 AND o.status <> 'processed' RETURNING )sql";

constexpr std::string_view kFailed = R"sql(
UPDATE orders.orders o SET status = 'failed', version = o.version + 1
WHERE o.id = $1 AND o.job_id = $2 AND o.status = 'processing')sql";

std::unexpected<Error> not_found(const Uuid& id) {
    return fail(Code::not_found, "there is no order " + id.to_string(), "ORDER_NOT_FOUND");
}

std::unexpected<Error> already_processed(const Uuid& id) {
    return fail(Code::failed_precondition, "order " + id.to_string() + " is processed already",
                "ORDER_PROCESSED");
}

Result<Order> read(postgres::Transaction& transaction, const Uuid& id, std::string_view lock = "") {
    const auto rows = TRY(transaction.exec(
        with_columns("SELECT ", " FROM orders.orders o WHERE o.id = $1 ") + std::string(lock),
        {id}));
    if (rows.empty()) {
        return not_found(id);
    }
    return to_order(rows.front());
}

}  // namespace

Order to_order(const postgres::Row& row) {
    Order order;
    order.id = row.get<Uuid>(0);
    order.number = row.get<std::string>(1);
    order.facility = row.get<std::string>(2);
    order.patient_ref = row.get<std::string>(3);
    order.items = parse_items(row.text(4));
    order.status = parse_status(row.text(5)).value_or(Status::pending);
    order.source = row.text(6) == "hl7" ? Source::hl7 : Source::api;
    order.created_at = row.get<Instant>(7);
    order.synced_at = row.get<std::optional<Instant>>(8);
    order.processed_at = row.get<std::optional<Instant>>(9);
    return order;
}

Result<std::optional<Order>> OrderStore::insert(postgres::Transaction& transaction,
                                                const NewOrder& order) const {
    const auto rows = TRY(
        transaction.exec(with_columns(kInsert, ""),
                         {Uuid::v7(clock_.now()), order.number, order.facility, order.patient_ref,
                          items_json(order.items), to_string(order.source), order.message_id}));
    if (rows.empty()) {
        return std::nullopt;
    }
    auto stored = to_order(rows.front());
    TRY(publish(transaction, stored, "orders.order_created"));
    return std::optional(std::move(stored));
}

Result<void> OrderStore::publish(postgres::Transaction& transaction, const Order& order,
                                 const std::string& type) const {
    outbox::Event event;
    event.topic = events_topic_;
    event.key = order.id.to_string();
    event.type = type;
    event.source = "/gantry/orders";
    event.subject = order.id.to_string();
    event.payload = event_json(order);
    event.content_type = "application/json";
    TRY(outbox::publish(transaction, event));
    return {};
}

Result<Order> OrderStore::create(const NewOrder& order, Deadline deadline) {
    TRY(validate(order));
    return pool_.transact(deadline, [&](postgres::Transaction& transaction) -> Result<Order> {
        auto stored = TRY(insert(transaction, order));
        if (stored) {
            return *std::move(stored);
        }
        const auto first =
            TRY(transaction.exec("SELECT id FROM orders.orders WHERE facility = $1 AND number = $2",
                                 {order.facility, order.number}));
        if (first.empty()) {
            return fail(Code::aborted, "the order of that number was removed meanwhile; repeat");
        }
        const auto id = std::string(first.front().text(0));
        return std::unexpected(Error{Code::already_exists,
                                     "the facility has an order of that number: " + id,
                                     "ORDER_EXISTS",
                                     {{"order", id}}});
    });
}

Result<Stored> OrderStore::create_in(postgres::Transaction& transaction,
                                     const NewOrder& order) const {
    TRY(validate(order));
    const auto stored = TRY(insert(transaction, order));
    return stored ? Stored::made : Stored::existed;
}

Result<Order> OrderStore::find(const Uuid& id, Deadline deadline) {
    return pool_.read(deadline,
                      [&](postgres::Transaction& transaction) { return read(transaction, id); });
}

Result<OrderPage> OrderStore::list(const OrderFilter& filter, Deadline deadline) {
    if (filter.page_size < 0 || filter.page_size > kMaxPage) {
        return invalid("page_size", "must be 1 to 1000, or 0 for 100");
    }
    for (const auto& [field, text] :
         {std::pair("number", &filter.number), std::pair("facility", &filter.facility)}) {
        if (text->find('\0') != std::string::npos || !is_utf8(*text)) {
            return invalid(field, "must be UTF-8 without NUL");
        }
    }
    std::optional<Uuid> after;
    if (!filter.page_token.empty()) {
        const auto text = base64_decode(filter.page_token);
        const auto id = text ? Uuid::parse(*text) : Result<Uuid>(std::unexpected(text.error()));
        if (!id) {
            return invalid("page_token", "must be the next_page_token of an earlier page");
        }
        after = *id;
    }
    const int size = filter.page_size == 0 ? kDefaultPage : filter.page_size;
    return pool_.read(deadline, [&](postgres::Transaction& transaction) -> Result<OrderPage> {
        const auto rows = TRY(transaction.exec(
            with_columns("SELECT ", kList),
            {after, filter.number, filter.facility,
             filter.status ? std::string(to_string(*filter.status)) : std::string(), size + 1}));
        OrderPage page;
        for (const auto row : rows) {
            if (page.orders.size() == static_cast<std::size_t>(size)) {
                page.next_page_token = base64_encode(page.orders.back().id.to_string());
                break;
            }
            page.orders.push_back(to_order(row));
        }
        return page;
    });
}

Result<jobs::Job> OrderStore::process(const Uuid& id, Deadline deadline) {
    return pool_.transact(deadline, [&](postgres::Transaction& transaction) -> Result<jobs::Job> {
        // The unique key before the order's row: a completion locks them in the same order.
        if (TRY(read(transaction, id)).status == Status::processed) {
            return already_processed(id);
        }
        jobs::NewJob job;
        job.queue = "orders";
        job.type = "orders.process";
        job.key = id.to_string();
        job.unique_key = "orders.process/" + id.to_string();
        job.payload = R"({"orderId":")" + id.to_string() + R"("})";
        job.content_type = "application/json";
        job.traceparent = tracing::current().traceparent();
        auto queued = TRY(jobs::Enqueuer::enqueue_in(transaction, job, clock_.now()));
        if (TRY(read(transaction, id, "FOR UPDATE")).status == Status::processed) {
            return already_processed(id);  // by a job that ended while this one was being queued
        }
        TRY(transaction.exec(kProcessing, {id, queued.id}));
        return queued;
    });
}

Result<void> OrderStore::mark_processed(postgres::Transaction& transaction, const Uuid& id) const {
    const auto rows = TRY(transaction.exec(with_columns(kProcessed, ""), {id}));
    if (!rows.empty()) {
        return publish(transaction, to_order(rows.front()), "orders.order_processed");
    }
    TRY(read(transaction, id));
    return {};
}

Result<void> OrderStore::mark_failed(postgres::Transaction& transaction, const Uuid& id,
                                     const Uuid& job) const {
    TRY(transaction.exec(kFailed, {id, job}));
    return {};
}

}  // namespace gantry::orders
