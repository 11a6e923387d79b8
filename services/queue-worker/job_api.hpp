#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/jobs/enqueuer.hpp"
#include "gantry/jobs/job_store.hpp"
#include "gantry/jobs/v1/jobs.grpc.pb.h"
#include "gantry/rpc/executor.hpp"

namespace gantry::worker {

/// The stored job as the API shows it.
jobs::v1::Job to_proto(const jobs::Job& job);

/// The request as a job to accept. `invalid_argument` for a time or duration that is none; the
/// other fields are checked when it is enqueued.
Result<jobs::NewJob> to_new_job(const jobs::v1::EnqueueRequest& request);

/// `gantry.jobs.v1.JobService`. Thread-safe; what it is given must outlive it.
class JobApi final : public jobs::v1::JobService::CallbackService {
public:
    JobApi(rpc::Executor& executor, jobs::Enqueuer& enqueuer, jobs::JobStore& store)
        : executor_(executor), enqueuer_(enqueuer), store_(store) {}

    grpc::ServerUnaryReactor* Enqueue(grpc::CallbackServerContext* context,
                                      const jobs::v1::EnqueueRequest* request,
                                      jobs::v1::Job* response) override;
    grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                  const jobs::v1::GetJobRequest* request,
                                  jobs::v1::Job* response) override;
    grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                   const jobs::v1::ListJobsRequest* request,
                                   jobs::v1::ListJobsResponse* response) override;

private:
    rpc::Executor& executor_;
    jobs::Enqueuer& enqueuer_;
    jobs::JobStore& store_;
};

}  // namespace gantry::worker
