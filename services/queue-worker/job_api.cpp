#include "job_api.hpp"

#include "gantry/rpc/unary.hpp"
#include "gantry/tracing/trace.hpp"
#include "proto_time.hpp"

namespace gantry::worker {
namespace {

namespace v1 = jobs::v1;

constexpr std::pair<jobs::State, v1::JobState> kStates[] = {
    {jobs::State::scheduled, v1::SCHEDULED}, {jobs::State::queued, v1::QUEUED},
    {jobs::State::running, v1::RUNNING},     {jobs::State::succeeded, v1::SUCCEEDED},
    {jobs::State::retrying, v1::RETRYING},   {jobs::State::dead, v1::DEAD},
    {jobs::State::cancelled, v1::CANCELLED},
};

v1::JobState to_proto(jobs::State state) {
    for (const auto& [ours, theirs] : kStates) {
        if (ours == state) {
            return theirs;
        }
    }
    return v1::JOB_STATE_UNSPECIFIED;
}

Result<std::optional<jobs::State>> to_state(v1::JobState state) {
    if (state == v1::JOB_STATE_UNSPECIFIED) {
        return std::nullopt;
    }
    for (const auto& [ours, theirs] : kStates) {
        if (theirs == state) {
            return ours;
        }
    }
    return invalid("state", "must be the name of a job state, for example QUEUED");
}

}  // namespace

v1::Job to_proto(const jobs::Job& job) {
    v1::Job out;
    out.set_id(job.id.to_string());
    out.set_queue(job.queue);
    out.set_type(job.type);
    out.set_state(to_proto(job.state));
    out.set_payload(job.payload);
    out.set_content_type(job.content_type);
    out.set_key(job.key);
    out.set_attempt(job.attempt);
    out.set_max_attempts(job.max_attempts);
    *out.mutable_create_time() = to_timestamp(job.created_at);
    if (job.run_at) {
        *out.mutable_run_time() = to_timestamp(*job.run_at);
    }
    if (job.started_at) {
        *out.mutable_start_time() = to_timestamp(*job.started_at);
    }
    if (job.finished_at) {
        *out.mutable_finish_time() = to_timestamp(*job.finished_at);
    }
    out.set_result(job.result);
    out.set_result_content_type(job.result_content_type);
    out.set_error(job.error);
    out.set_dispatch(job.dispatch);
    out.set_external_id(job.external_id);
    out.set_external_source(job.external_source);
    return out;
}

Result<jobs::NewJob> to_new_job(const v1::EnqueueRequest& request) {
    jobs::NewJob job;
    job.queue = request.queue();
    job.type = request.type();
    job.payload = request.payload();
    if (!request.content_type().empty()) {
        job.content_type = request.content_type();
    }
    job.key = request.key();
    job.max_attempts = request.max_attempts();
    if (request.has_run_at()) {
        job.run_at = TRY(to_instant(request.run_at(), "run_at"));
    }
    if (request.has_timeout()) {
        job.timeout = TRY(to_milliseconds(request.timeout(), "timeout"));
    }
    job.unique_key = request.unique_key();
    job.request_id = request.request_id();
    return job;
}

grpc::ServerUnaryReactor* JobApi::Enqueue(grpc::CallbackServerContext* context,
                                          const v1::EnqueueRequest* request, v1::Job* response) {
    return rpc::unary(
        executor_, context, request, response,
        [this](const rpc::Call& call, const v1::EnqueueRequest& enqueue) -> Result<v1::Job> {
            auto job = TRY(to_new_job(enqueue));
            job.traceparent = call.trace.traceparent();
            return to_proto(TRY(enqueuer_.enqueue(job, bounded(call.deadline))));
        });
}

grpc::ServerUnaryReactor* JobApi::Get(grpc::CallbackServerContext* context,
                                      const v1::GetJobRequest* request, v1::Job* response) {
    return rpc::unary(
        executor_, context, request, response,
        [this](const rpc::Call& call, const v1::GetJobRequest& get) -> Result<v1::Job> {
            constexpr std::size_t kLongestId = 1024;
            if (get.id().empty() || get.id().size() > kLongestId || !jobs::is_storable(get.id())) {
                return invalid("id", "must be a job's UUID or a CloudEvent id of 1 to 1024 bytes");
            }
            const auto deadline = bounded(call.deadline);
            if (const auto id = Uuid::parse(get.id())) {
                auto job = store_.find(*id, deadline);
                // A producer may well use UUIDs as the ids of its events.
                if (job || job.error().code != Code::not_found) {
                    return to_proto(TRY(std::move(job)));
                }
            }
            return to_proto(TRY(store_.find_external(get.id(), deadline)));
        });
}

grpc::ServerUnaryReactor* JobApi::List(grpc::CallbackServerContext* context,
                                       const v1::ListJobsRequest* request,
                                       v1::ListJobsResponse* response) {
    return rpc::unary(executor_, context, request, response,
                      [this](const rpc::Call& call,
                             const v1::ListJobsRequest& list) -> Result<v1::ListJobsResponse> {
                          jobs::JobFilter filter;
                          filter.queue = list.queue();
                          filter.type = list.type();
                          filter.state = TRY(to_state(list.state()));
                          filter.page_size = list.page_size();
                          filter.page_token = list.page_token();
                          const auto page = TRY(store_.list(filter, bounded(call.deadline)));
                          v1::ListJobsResponse out;
                          for (const auto& job : page.jobs) {
                              *out.add_jobs() = to_proto(job);
                          }
                          out.set_next_page_token(page.next_page_token);
                          return out;
                      });
}

}  // namespace gantry::worker
