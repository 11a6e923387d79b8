#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/rpc/executor.hpp"
#include "gantry/scheduler/v1/scheduler.grpc.pb.h"
#include "schedule_queries.hpp"

namespace gantry::scheduler {

/// gantry.scheduler.v1.ScheduleService. Thread-safe; executor, queries and clock must outlive it.
class ScheduleApi final : public v1::ScheduleService::CallbackService {
public:
    ScheduleApi(rpc::Executor& executor, ScheduleQueries& queries, Clock& clock)
        : executor_(executor), queries_(queries), clock_(clock) {}

    grpc::ServerUnaryReactor* ListSchedules(grpc::CallbackServerContext* context,
                                            const v1::ListSchedulesRequest* request,
                                            v1::ListSchedulesResponse* response) override;
    grpc::ServerUnaryReactor* GetSchedule(grpc::CallbackServerContext* context,
                                          const v1::GetScheduleRequest* request,
                                          v1::Schedule* response) override;
    grpc::ServerUnaryReactor* ListFires(grpc::CallbackServerContext* context,
                                        const v1::ListFiresRequest* request,
                                        v1::ListFiresResponse* response) override;
    grpc::ServerUnaryReactor* Preview(grpc::CallbackServerContext* context,
                                      const v1::PreviewRequest* request,
                                      v1::PreviewResponse* response) override;

private:
    rpc::Executor& executor_;
    ScheduleQueries& queries_;
    Clock& clock_;
};

/// The next fires of a specification; every fault of the request by its field. `now` is the default
/// of `after`.
Result<v1::PreviewResponse> preview(const v1::PreviewRequest& request, Instant now);

/// A schedule as the API shows it; `now` decides which fire is next.
v1::Schedule to_proto(const ScheduleView& view, Instant now);

}  // namespace gantry::scheduler
