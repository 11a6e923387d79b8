#pragma once

#include "gantry/hl7/v1/hl7.grpc.pb.h"
#include "gantry/postgres/pool.hpp"
#include "gantry/rpc/executor.hpp"

namespace gantry::mllp {

/// Serves `gantry.hl7.v1.Hl7Service`: facts about stored messages, never their bodies.
class Hl7Api final : public hl7::v1::Hl7Service::CallbackService {
public:
    Hl7Api(rpc::Executor& executor, postgres::Pool& pool) : executor_(&executor), pool_(&pool) {}

    grpc::ServerUnaryReactor* ListMessages(grpc::CallbackServerContext* context,
                                           const hl7::v1::ListMessagesRequest* request,
                                           hl7::v1::ListMessagesResponse* response) override;
    grpc::ServerUnaryReactor* GetMessage(grpc::CallbackServerContext* context,
                                         const hl7::v1::GetMessageRequest* request,
                                         hl7::v1::Hl7Message* response) override;

private:
    rpc::Executor* executor_;
    postgres::Pool* pool_;
};

}  // namespace gantry::mllp
