#include "backends.hpp"

#include "gantry/rpc/channel.hpp"
#include "gantry/rpc/status.hpp"

#include "google/api/annotations.pb.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <utility>
#include <vector>

namespace gantry::gateway {
namespace {

namespace pb = google::protobuf;

std::string path_of(const pb::MethodDescriptor& method) {
    return method.service()->full_name() + "/" + method.name();
}

Effect effect_of(const pb::MethodDescriptor& method) {
    return method.options().GetExtension(google::api::http).pattern_case() ==
                   google::api::HttpRule::kGet
               ? Effect::reads
               : Effect::writes;
}

const std::string& target_of(const BackendOptions& options, BackendId id) {
    switch (id) {
        case BackendId::queue_worker:
            return options.queue_worker;
        case BackendId::outbox_relay:
            return options.outbox_relay;
        case BackendId::scheduler:
            return options.scheduler;
        case BackendId::mllp_listener:
            break;
    }
    return options.mllp_listener;
}

// True where gRPC says that no byte of the call left this process. What it does not say so clearly
// counts as sent, for a write that may have happened must not look like one that did not.
bool never_sent(const grpc::Status& status) {
    const std::string& text = status.error_message();
    for (const std::string_view opening :
         {"failed to connect to all addresses", "connections to all backends failing",
          "DNS resolution failed", "empty address list", "channel is shutting down"}) {
        if (text.starts_with(opening)) {
            return true;
        }
    }
    return false;
}

Error in_doubt(const std::string& name, Code code, std::string_view what) {
    return {code,
            name + " " + std::string(what) +
                " before it answered, so the outcome is unknown. Repeat the request with the same "
                "Idempotency-Key (request_id), or look for its result first.",
            "OUTCOME_UNKNOWN",
            {}};
}

Error out_of_time(const PublicMethod& method) {
    const std::string& name = method.backend->name();
    if (method.effect == Effect::writes) {
        return in_doubt(name, Code::deadline_exceeded, "ran out of time");
    }
    return {Code::deadline_exceeded, name + " did not answer in time.", "BACKEND_TIMEOUT", {}};
}

std::chrono::system_clock::time_point wall_deadline(Deadline deadline) {
    return std::chrono::system_clock::now() + deadline.remaining();
}

}  // namespace

std::string_view to_string(BackendState state) {
    switch (state) {
        case BackendState::unknown:
            return "unknown";
        case BackendState::serving:
            return "healthy";
        case BackendState::not_serving:
            return "not ready";
        case BackendState::unreachable:
            return "unreachable";
    }
    return "unknown";
}

Backend::Seen Backend::seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
}

void Backend::saw(BackendState state, Instant now) {
    const std::lock_guard lock(mutex_);
    if (seen_.state != state) {
        seen_ = {state, now};
    }
}

Backends::Backends(const BackendOptions& options) {
    const auto services = public_services();
    for (std::size_t i = 0; i < kBackendCount; ++i) {
        const auto id = static_cast<BackendId>(i);
        rpc::ChannelOptions channel;
        for (const PublicService& service : services) {
            for (int m = 0; service.backend == id && m < service.descriptor->method_count(); ++m) {
                const auto& method = *service.descriptor->method(m);
                if (effect_of(method) == Effect::reads) {
                    channel.retryable_methods.push_back(path_of(method));
                }
            }
        }
        backends_[i] = std::make_unique<Backend>(
            kBackendNames[i], rpc::make_channel(target_of(options, id), channel));
    }
    for (const PublicService& service : services) {
        for (int m = 0; m < service.descriptor->method_count(); ++m) {
            const auto& method = *service.descriptor->method(m);
            methods_.emplace("/" + path_of(method),
                             PublicMethod{&at(service.backend), effect_of(method),
                                          method.client_streaming() || method.server_streaming()});
        }
    }
}

const PublicMethod* Backends::method(std::string_view path) const {
    const auto found = methods_.find(path);
    return found == methods_.end() ? nullptr : &found->second;
}

std::shared_ptr<PendingCall> start_call(
    const PublicMethod& method, const std::string& path, std::unique_ptr<pb::Message> request,
    std::unique_ptr<pb::Message> answer, Deadline deadline, const tracing::TraceContext& trace,
    std::function<void(Result<std::unique_ptr<pb::Message>>)> done) {
    auto call = std::make_shared<PendingCall>();
    call->request_ = std::move(request);
    call->answer_ = std::move(answer);
    call->context_.set_deadline(wall_deadline(deadline));
    call->context_.AddMetadata("traceparent", trace.traceparent());
    if (!trace.state.empty()) {
        call->context_.AddMetadata("tracestate", trace.state);
    }
    grpc::TemplatedGenericStub<pb::Message, pb::Message> stub(method.backend->channel());
    stub.UnaryCall(&call->context_, path, grpc::StubOptions(), call->request_.get(),
                   call->answer_.get(),
                   [call, &method, done = std::move(done)](const grpc::Status& status) {
                       if (status.ok()) {
                           done(std::move(call->answer_));
                       } else {
                           done(std::unexpected(explain(status, method)));
                       }
                   });
    return call;
}

Error explain(const grpc::Status& status, const PublicMethod& method) {
    // CANCELLED is for a caller who left. This one is still there, so the service broke off.
    if (rpc::has_details(status) && status.error_code() != grpc::StatusCode::CANCELLED) {
        Error error = rpc::to_error(status);
        if (error.code == Code::deadline_exceeded && error.reason.empty()) {
            return out_of_time(method);
        }
        return error;
    }
    const std::string& name = method.backend->name();
    const bool writes = method.effect == Effect::writes;
    switch (status.error_code()) {
        case grpc::StatusCode::UNAVAILABLE:
        case grpc::StatusCode::CANCELLED:
            if (writes && !never_sent(status)) {
                return in_doubt(name, Code::unknown, "went away");
            }
            return {Code::unavailable, name + " cannot be reached.", "BACKEND_UNAVAILABLE", {}};
        case grpc::StatusCode::DEADLINE_EXCEEDED:
            return out_of_time(method);
        case grpc::StatusCode::RESOURCE_EXHAUSTED:
            return {Code::resource_exhausted,
                    "The request or its answer is too large for " + name + ".",
                    "MESSAGE_TOO_LARGE",
                    {}};
        case grpc::StatusCode::UNIMPLEMENTED:
            return {
                Code::unimplemented, name + " does not know this method.", "BACKEND_OUTDATED", {}};
        default:
            if (writes) {
                return in_doubt(name, Code::unknown, "failed");
            }
            return {Code::internal, name + " failed.", "BACKEND_FAILED", {}};
    }
}

}  // namespace gantry::gateway
