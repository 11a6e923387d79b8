#include "gantry/rpc/unary.hpp"

#include "gantry/logging/log.hpp"

#include <grpcpp/client_context.h>

#include <chrono>

namespace gantry::rpc {
namespace {

constexpr const char* kTraceparent = "traceparent";

Deadline steady_deadline(std::chrono::system_clock::time_point at) {
    if (at == std::chrono::system_clock::time_point::max()) {
        return Deadline::never();
    }
    const auto left = at - std::chrono::system_clock::now();
    // gRPC's "never" is near the end of time, too far to be added to.
    if (left > std::chrono::hours{24 * 365}) {
        return Deadline::never();
    }
    return Deadline::after(left);
}

tracing::TraceContext trace_of(const grpc::CallbackServerContext& context) {
    const auto& metadata = context.client_metadata();
    if (const auto found = metadata.find(kTraceparent); found != metadata.end()) {
        const std::string_view header(found->second.data(), found->second.size());
        if (const auto parent = tracing::parse_traceparent(header)) {
            return parent->child();
        }
    }
    return tracing::start_trace();
}

}  // namespace

namespace detail {

Call describe(const grpc::CallbackServerContext& context) {
    Call call;
    call.deadline = steady_deadline(context.deadline());
    call.trace = trace_of(context);
    call.peer = context.peer();
    return call;
}

grpc::Status failed(const Error& error, Deadline deadline) {
    if (error.code == Code::cancelled && deadline.expired()) {
        return to_status(Error{Code::deadline_exceeded, "The call ran out of time.", {}, {}});
    }
    if (error.code == Code::internal || error.code == Code::data_loss ||
        error.code == Code::unknown) {
        logging::error("call failed", error);
    }
    return to_status(error);
}

grpc::Status threw(const std::exception& exception) {
    const Error error{Code::internal, exception.what(), {}, {}};
    return failed(error, Deadline::never());
}

}  // namespace detail

void propagate_trace(grpc::ClientContext& context) {
    const tracing::TraceContext& trace = tracing::current();
    if (trace.valid()) {
        context.AddMetadata(kTraceparent, trace.traceparent());
    }
}

}  // namespace gantry::rpc
