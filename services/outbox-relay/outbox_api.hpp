#pragma once

#include "gantry/outbox/v1/outbox.grpc.pb.h"
#include "gantry/postgres/pool.hpp"
#include "gantry/rpc/executor.hpp"
#include "stats.hpp"

namespace gantry::relay {

/// gantry.outbox.v1.OutboxService. Thread-safe; executor, pool and stats must outlive it.
class OutboxApi final : public outbox::v1::OutboxService::CallbackService {
public:
    OutboxApi(rpc::Executor& executor, postgres::Pool& pool, const Stats& stats)
        : executor_(executor), pool_(pool), stats_(stats) {}

    grpc::ServerUnaryReactor* GetStats(grpc::CallbackServerContext* context,
                                       const outbox::v1::GetStatsRequest* request,
                                       outbox::v1::OutboxStats* response) override;
    grpc::ServerUnaryReactor* ListParked(grpc::CallbackServerContext* context,
                                         const outbox::v1::ListParkedRequest* request,
                                         outbox::v1::ListParkedResponse* response) override;

private:
    rpc::Executor& executor_;
    postgres::Pool& pool_;
    const Stats& stats_;
};

/// What the handlers answer.
Result<outbox::v1::OutboxStats> get_stats(postgres::Pool& pool, const Stats& stats,
                                          Deadline deadline);
Result<outbox::v1::ListParkedResponse> list_parked(postgres::Pool& pool,
                                                   const outbox::v1::ListParkedRequest& request,
                                                   Deadline deadline);

}  // namespace gantry::relay
