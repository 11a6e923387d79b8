#include "gantry/rpc/unary.hpp"

#include "gantry/logging/log.hpp"

#include <grpcpp/client_context.h>

#include <chrono>

namespace gantry::rpc {
namespace {

constexpr const char* kTraceparent = "traceparent";
constexpr const char* kTracestate = "tracestate";

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
    const auto header = [&](const char* name) {
        const auto found = metadata.find(name);
        return found == metadata.end()
                   ? std::string_view()
                   : std::string_view(found->second.data(), found->second.size());
    };
    return tracing::parse_trace(header(kTraceparent), header(kTracestate))
        .value_or(tracing::TraceContext{});
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

std::string method_of(const google::protobuf::Descriptor& request) {
    const auto& file = *request.file();
    for (int s = 0; s < file.service_count(); ++s) {
        const auto& service = *file.service(s);
        for (int m = 0; m < service.method_count(); ++m) {
            if (service.method(m)->input_type() == &request) {
                return service.full_name() + "/" + service.method(m)->name();
            }
        }
    }
    return request.full_name();
}

tracing::Span begin_span(const std::string& method, const tracing::TraceContext& caller) {
    tracing::Span span(method, tracing::SpanKind::server, caller);
    span.set("rpc.system", "grpc");
    return span;
}

void note_status(tracing::Span& span, const grpc::Status& status) {
    const int code = static_cast<int>(status.error_code());
    span.set("rpc.grpc.status_code", code);
    switch (status.error_code()) {
        // What OpenTelemetry's conventions count as the server's failure and not its caller's.
        case grpc::StatusCode::UNKNOWN:
        case grpc::StatusCode::DEADLINE_EXCEEDED:
        case grpc::StatusCode::UNIMPLEMENTED:
        case grpc::StatusCode::INTERNAL:
        case grpc::StatusCode::UNAVAILABLE:
        case grpc::StatusCode::DATA_LOSS:
            span.fail(static_cast<Code>(code));
            break;
        default:
            break;
    }
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
        if (!trace.state.empty()) {
            context.AddMetadata(kTracestate, trace.state);
        }
    }
}

}  // namespace gantry::rpc
