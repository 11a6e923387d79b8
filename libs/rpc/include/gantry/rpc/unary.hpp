#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"
#include "gantry/rpc/executor.hpp"
#include "gantry/rpc/status.hpp"
#include "gantry/tracing/span.hpp"

#include <google/protobuf/descriptor.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace gantry::rpc {

/// What a handler may know of its call.
struct Call {
    Deadline deadline = Deadline::never();  ///< The caller's.
    std::stop_token stop;                   ///< Fires when the caller left or its time is up.
    tracing::TraceContext trace;            ///< Of the call's span; already current.
    std::string peer;                       ///< For example `ipv4:10.0.0.7:41234`.
};

namespace detail {

/// The deadline, peer and caller's trace of a call; the trace is empty where the caller sent none.
Call describe(const grpc::CallbackServerContext& context);

/// `package.Service/Method` for the method that takes `request`, or the request's name if there is
/// none.
std::string method_of(const google::protobuf::Descriptor& request);

/// The span of a call of `method`.
tracing::Span begin_span(const std::string& method, const tracing::TraceContext& caller);

/// Tells `span` how the call ended.
void note_status(tracing::Span& span, const grpc::Status& status);

/// Logs what `to_status` hides from the caller. A handler that gave up because its time was up says
/// `cancelled`, and its caller is told DEADLINE_EXCEEDED, for the caller is still there.
grpc::Status failed(const Error& error, Deadline deadline);
grpc::Status threw(const std::exception& exception);

/// The reactor of one unary call. It outlives gRPC's interest in the call, so a handler that
/// ignores its stop token never delays the server's shutdown.
template <class Response>
class UnaryCall {
public:
    explicit UnaryCall(Response* response) : response_(response), reactor_(new Reactor) {}

    /// Ends the call, once; later ends are dropped. Thread-safe.
    void finish(grpc::Status status, Response* value) {
        const std::lock_guard lock(mutex_);
        if (finished_) {
            return;
        }
        finished_ = true;
        if (value != nullptr) {
            *response_ = std::move(*value);
        }
        reactor_->Finish(std::move(status));
    }

    void cancel() {
        stop_.request_stop();
        finish(grpc::Status(grpc::StatusCode::CANCELLED, "The caller left."), nullptr);
    }

    [[nodiscard]] bool finished() const {
        const std::lock_guard lock(mutex_);
        return finished_;
    }

    [[nodiscard]] std::stop_token stop_token() const { return stop_.get_token(); }

    /// gRPC's end of the call; deletes itself when gRPC is done with it.
    static grpc::ServerUnaryReactor* attach(const std::shared_ptr<UnaryCall>& call) {
        call->reactor_->call = call;
        return call->reactor_;
    }

private:
    struct Reactor final : grpc::ServerUnaryReactor {
        void OnDone() override { delete this; }
        void OnCancel() override { call->cancel(); }
        std::shared_ptr<UnaryCall> call;  // kept alive as long as gRPC may use it
    };

    std::stop_source stop_;
    // Guarded by mutex_: both belong to gRPC and are gone once it is finished.
    mutable std::mutex mutex_;
    bool finished_ = false;
    Response* response_;
    Reactor* reactor_;
};

}  // namespace detail

/// Runs a unary handler on `executor`, so that it may block, and answers with what it returns.
///
/// ```
/// grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context, const GetJobRequest*
/// request,
///                               Job* response) override {
///     return rpc::unary(executor_, context, request, response,
///                       [this](const rpc::Call& call, const GetJobRequest& get) -> Result<Job> {
///                           return store_.find(get.id(), call.deadline, call.stop);
///                       });
/// }
/// ```
///
/// Errors become statuses by `to_status`, exceptions INTERNAL without their text. The call's trace
/// is current while the handler runs. A call that waited past its deadline or was cancelled is not
/// run. With a full queue the answer is UNAVAILABLE (`OVERLOADED`). When the caller leaves, the
/// stop token fires and the call ends at once; the handler's result is then dropped.
template <class Request, class Response, class Handler>
grpc::ServerUnaryReactor* unary(Executor& executor, grpc::CallbackServerContext* context,
                                const Request* request, Response* response, Handler handler) {
    auto call = std::make_shared<detail::UnaryCall<Response>>(response);
    auto* reactor = detail::UnaryCall<Response>::attach(call);
    Call info = detail::describe(*context);
    info.stop = call->stop_token();
    // gRPC made the message for this call and does not read it again. Moving it out lets the
    // handler outlive the call.
    auto input = std::make_unique<Request>(std::move(const_cast<Request&>(*request)));
    const bool accepted = executor.submit([call, info = std::move(info), input = std::move(input),
                                           handler = std::move(handler)]() mutable {
        if (call->finished()) {
            return;
        }
        if (info.deadline.expired()) {
            call->finish(
                {grpc::StatusCode::DEADLINE_EXCEEDED, "The call waited past its deadline."},
                nullptr);
            return;
        }
        static const std::string method = detail::method_of(*Request::descriptor());
        auto span = detail::begin_span(method, info.trace);
        info.trace = span.context();
        const tracing::ScopedTrace scope(info.trace);
        grpc::Status status;
        try {
            Result<Response> result = handler(std::as_const(info), std::as_const(*input));
            if (result) {
                call->finish(status, &*result);
            } else {
                status = detail::failed(result.error(), info.deadline);
                call->finish(status, nullptr);
            }
        } catch (const std::exception& exception) {
            status = detail::threw(exception);
            call->finish(status, nullptr);
        }
        detail::note_status(span, status);
    });
    if (!accepted) {
        call->finish(
            to_status(Error{
                Code::unavailable, "Too many calls wait for this service.", "OVERLOADED", {}}),
            nullptr);
    }
    return reactor;
}

/// Adds the current trace to a client's call: `traceparent`, and `tracestate` if there is one.
void propagate_trace(grpc::ClientContext& context);

}  // namespace gantry::rpc
