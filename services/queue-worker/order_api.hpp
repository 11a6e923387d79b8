#pragma once

#include "gantry/orders/order_store.hpp"
#include "gantry/orders/v1/orders.grpc.pb.h"
#include "gantry/rpc/executor.hpp"

namespace gantry::worker {

/// The stored order as the API shows it.
orders::v1::Order to_proto(const orders::Order& order);

/// `gantry.orders.v1.OrderService`. Thread-safe; what it is given must outlive it.
class OrderApi final : public orders::v1::OrderService::CallbackService {
public:
    OrderApi(rpc::Executor& executor, orders::OrderStore& store)
        : executor_(executor), store_(store) {}

    grpc::ServerUnaryReactor* CreateOrder(grpc::CallbackServerContext* context,
                                          const orders::v1::CreateOrderRequest* request,
                                          orders::v1::Order* response) override;
    grpc::ServerUnaryReactor* GetOrder(grpc::CallbackServerContext* context,
                                       const orders::v1::GetOrderRequest* request,
                                       orders::v1::Order* response) override;
    grpc::ServerUnaryReactor* ListOrders(grpc::CallbackServerContext* context,
                                         const orders::v1::ListOrdersRequest* request,
                                         orders::v1::ListOrdersResponse* response) override;
    grpc::ServerUnaryReactor* ProcessOrder(grpc::CallbackServerContext* context,
                                           const orders::v1::ProcessOrderRequest* request,
                                           orders::v1::ProcessOrderResponse* response) override;

private:
    rpc::Executor& executor_;
    orders::OrderStore& store_;
};

}  // namespace gantry::worker
