#include "gantry/orders/handlers.hpp"

#include "daily_report.hpp"
#include "gantry/orders/hl7_order.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace gantry::orders {
namespace {

using jobs::JobContext;
using jobs::Outcome;

/// The UUID that a JSON payload holds under `name`.
Result<Uuid> id_in(std::string_view payload, const char* name) {
    const auto json = nlohmann::json::parse(payload, nullptr, false);
    if (json.is_object()) {
        if (const auto found = json.find(name); found != json.end() && found->is_string()) {
            if (auto id = Uuid::parse(found->get_ref<const std::string&>())) {
                return id;
            }
        }
    }
    return fail(Code::invalid_argument,
                std::string("the payload must be a JSON object with the UUID ") + name);
}

Outcome process(JobContext& context, OrderStore& store) {
    const auto id = id_in(context.payload(), "orderId");
    if (!id) {
        return Outcome::dead(id.error(), "bad_payload");
    }
    // Asked before, so that an order that does not exist is dead at once.
    if (auto order = store.find(*id, context.deadline()); !order) {
        return Outcome::of(std::unexpected(std::move(order).error()));
    }
    context.transaction([&store, id = *id](postgres::Transaction& transaction) {
        return store.mark_processed(transaction, id);
    });
    return Outcome::success();
}

Result<void> fail_order(postgres::Transaction& transaction, const jobs::Runnable& job,
                        OrderStore& store) {
    if (const auto id = id_in(job.payload, "orderId")) {
        return store.mark_failed(transaction, *id, job.id);
    }
    return {};
}

/// The message as it was received. Leaves a row that says who read it.
Result<std::string> read_message(postgres::Pool& pool, const Uuid& id, const Uuid& job,
                                 Deadline deadline) {
    return pool.transact(deadline, [&](postgres::Transaction& transaction) -> Result<std::string> {
        const auto rows =
            TRY(transaction.exec("SELECT raw FROM gantry.hl7_message WHERE id = $1", {id}));
        if (rows.empty()) {
            return fail(Code::not_found, "there is no HL7 message " + id.to_string());
        }
        TRY(
            transaction.exec("INSERT INTO gantry.audit (principal, action, object, details) "
                             "VALUES ('queue-worker', 'hl7.import', $1::text, "
                             "jsonb_build_object('job', $2::text))",
                             {id, job}));
        return rows.front().bytes(0);
    });
}

Outcome import_hl7(JobContext& context, OrderStore& store, postgres::Pool& pool) {
    const auto id = id_in(context.payload(), "messageId");
    if (!id) {
        return Outcome::dead(id.error(), "bad_payload");
    }
    auto raw = read_message(pool, *id, context.id(), context.deadline());
    if (!raw) {
        return Outcome::of(std::unexpected(std::move(raw).error()));
    }
    const auto message = hl7::Message::parse(*raw);
    if (!message) {
        return Outcome::dead(message.error(), "bad_message");
    }
    auto orders = orders_of(*message);
    if (!orders) {
        return Outcome::dead(std::move(orders).error(), "bad_message");
    }
    for (auto& order : *orders) {
        order.message_id = *id;
        context.transaction(
            [&store, order = std::move(order)](postgres::Transaction& transaction) -> Result<void> {
                TRY(store.create_in(transaction, order));
                return {};
            });
    }
    return Outcome::success();
}

}  // namespace

void add_handlers(jobs::Registry& registry, OrderStore& store, postgres::Pool& pool,
                  const std::string& events_topic) {
    registry.add(
        "orders.process", [&store](JobContext& context) { return process(context, store); },
        [&store](postgres::Transaction& transaction, const jobs::Runnable& job) {
            return fail_order(transaction, job, store);
        });
    registry.add("orders.import_hl7",
                 [&store, &pool](JobContext& context) { return import_hl7(context, store, pool); });
    registry.add("reports.daily", [events_topic](JobContext& context) {
        return report_daily(context, events_topic);
    });
}

}  // namespace gantry::orders
