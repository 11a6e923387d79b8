#include "order_api.hpp"

#include "gantry/rpc/unary.hpp"
#include "job_api.hpp"
#include "proto_time.hpp"

namespace gantry::worker {
namespace {

namespace v1 = orders::v1;

constexpr std::pair<orders::Status, v1::OrderStatus> kStatuses[] = {
    {orders::Status::pending, v1::PENDING},
    {orders::Status::processing, v1::PROCESSING},
    {orders::Status::processed, v1::PROCESSED},
    {orders::Status::failed, v1::FAILED},
};

v1::OrderStatus to_proto(orders::Status status) {
    for (const auto& [ours, theirs] : kStatuses) {
        if (ours == status) {
            return theirs;
        }
    }
    return v1::ORDER_STATUS_UNSPECIFIED;
}

Result<std::optional<orders::Status>> to_status(v1::OrderStatus status) {
    if (status == v1::ORDER_STATUS_UNSPECIFIED) {
        return std::nullopt;
    }
    for (const auto& [ours, theirs] : kStatuses) {
        if (theirs == status) {
            return ours;
        }
    }
    return invalid("status", "must be PENDING, PROCESSING, PROCESSED or FAILED");
}

Result<Uuid> order_id(const std::string& text) {
    const auto id = Uuid::parse(text);
    if (!id) {
        return invalid("id", "must be an order's UUID");
    }
    return *id;
}

}  // namespace

v1::Order to_proto(const orders::Order& order) {
    v1::Order out;
    out.set_id(order.id.to_string());
    out.set_number(order.number);
    out.set_facility(order.facility);
    out.set_patient_ref(order.patient_ref);
    for (const auto& item : order.items) {
        auto& added = *out.add_items();
        added.set_code(item.code);
        added.set_quantity(item.quantity);
    }
    out.set_status(to_proto(order.status));
    out.set_source(order.source == orders::Source::hl7 ? v1::HL7 : v1::API);
    *out.mutable_created_at() = to_timestamp(order.created_at);
    if (order.synced_at) {
        *out.mutable_synced_at() = to_timestamp(*order.synced_at);
    }
    if (order.processed_at) {
        *out.mutable_processed_at() = to_timestamp(*order.processed_at);
    }
    return out;
}

grpc::ServerUnaryReactor* OrderApi::CreateOrder(grpc::CallbackServerContext* context,
                                                const v1::CreateOrderRequest* request,
                                                v1::Order* response) {
    return rpc::unary(
        executor_, context, request, response,
        [this](const rpc::Call& call, const v1::CreateOrderRequest& create) -> Result<v1::Order> {
            orders::NewOrder order;
            order.number = create.number();
            order.facility = create.facility();
            order.patient_ref = create.patient_ref();
            for (const auto& item : create.items()) {
                order.items.push_back({item.code(), item.quantity()});
            }
            return to_proto(TRY(store_.create(order, bounded(call.deadline))));
        });
}

grpc::ServerUnaryReactor* OrderApi::GetOrder(grpc::CallbackServerContext* context,
                                             const v1::GetOrderRequest* request,
                                             v1::Order* response) {
    return rpc::unary(
        executor_, context, request, response,
        [this](const rpc::Call& call, const v1::GetOrderRequest& get) -> Result<v1::Order> {
            return to_proto(TRY(store_.find(TRY(order_id(get.id())), bounded(call.deadline))));
        });
}

grpc::ServerUnaryReactor* OrderApi::ListOrders(grpc::CallbackServerContext* context,
                                               const v1::ListOrdersRequest* request,
                                               v1::ListOrdersResponse* response) {
    return rpc::unary(executor_, context, request, response,
                      [this](const rpc::Call& call,
                             const v1::ListOrdersRequest& list) -> Result<v1::ListOrdersResponse> {
                          orders::OrderFilter filter;
                          filter.number = list.number();
                          filter.facility = list.facility();
                          filter.status = TRY(to_status(list.status()));
                          filter.page_size = list.page_size();
                          filter.page_token = list.page_token();
                          const auto page = TRY(store_.list(filter, bounded(call.deadline)));
                          v1::ListOrdersResponse out;
                          for (const auto& order : page.orders) {
                              *out.add_orders() = to_proto(order);
                          }
                          out.set_next_page_token(page.next_page_token);
                          return out;
                      });
}

grpc::ServerUnaryReactor* OrderApi::ProcessOrder(grpc::CallbackServerContext* context,
                                                 const v1::ProcessOrderRequest* request,
                                                 v1::ProcessOrderResponse* response) {
    return rpc::unary(
        executor_, context, request, response,
        [this](const rpc::Call& call,
               const v1::ProcessOrderRequest& process) -> Result<v1::ProcessOrderResponse> {
            const auto job =
                TRY(store_.process(TRY(order_id(process.id())), bounded(call.deadline)));
            v1::ProcessOrderResponse out;
            out.set_message("Order processing queued.");
            *out.mutable_job() = to_proto(job);
            return out;
        });
}

}  // namespace gantry::worker
