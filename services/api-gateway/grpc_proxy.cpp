#include "grpc_proxy.hpp"

#include "gantry/rpc/status.hpp"
#include "gantry/rpc/unary.hpp"
#include "gantry/tracing/span.hpp"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>

namespace gantry::gateway {
namespace {

using grpc::ByteBuffer;

class Refusal final : public grpc::ServerGenericBidiReactor {
public:
    explicit Refusal(const Error& error) { Finish(rpc::to_status(error)); }
    void OnDone() override { delete this; }
};

// One call in two halves. `Up` is the caller's side, `Down` the backend's.
//
//   caller ──read──► Up ──write──► Down ──► backend
//   caller ◄─write── Up ◄──read─── Down ◄── backend
//
// In each direction one message is under way at a time: the next read starts when the write is
// done, which is all the flow control there is to pass on. Down holds itself open (AddHold) for
// each direction as long as Up may still start operations on it; Up stays open until Down is done,
// for only then does it finish.
class ProxyCall {
public:
    ProxyCall(const PublicMethod& method, const grpc::GenericCallbackServerContext& incoming,
              std::chrono::milliseconds call_timeout)
        : method_(method), up_(*this), down_(*this) {
        set_deadline(incoming, call_timeout);
        pass_trace(incoming);
        grpc::GenericStub stub(method.backend->channel());
        stub.PrepareBidiStreamingCall(&context_, incoming.method(), grpc::StubOptions(), &down_);
        down_.AddMultipleHolds(2);
        down_.StartRead(&answer_);
        down_.StartCall();
        up_.StartRead(&request_);
    }

    grpc::ServerGenericBidiReactor* up() { return &up_; }

private:
    struct Up final : grpc::ServerGenericBidiReactor {
        explicit Up(ProxyCall& owner) : call(owner) {}
        void OnReadDone(bool ok) override { call.caller_read(ok); }
        void OnWriteDone(bool ok) override { call.caller_written(ok); }
        void OnCancel() override { call.context_.TryCancel(); }
        void OnDone() override { delete &call; }
        ProxyCall& call;
    };
    struct Down final : grpc::ClientBidiReactor<ByteBuffer, ByteBuffer> {
        explicit Down(ProxyCall& owner) : call(owner) {}
        void OnReadDone(bool ok) override { call.backend_read(ok); }
        void OnWriteDone(bool ok) override { call.backend_written(ok); }
        void OnDone(const grpc::Status& status) override { call.backend_done(status); }
        ProxyCall& call;
    };

    ~ProxyCall() = default;

    void set_deadline(const grpc::GenericCallbackServerContext& incoming,
                      std::chrono::milliseconds call_timeout) {
        auto deadline = incoming.deadline();
        if (!method_.streams) {
            deadline = std::min(deadline, std::chrono::system_clock::now() + call_timeout);
        }
        if (deadline != std::chrono::system_clock::time_point::max()) {
            context_.set_deadline(deadline);
        }
    }

    void pass_trace(const grpc::GenericCallbackServerContext& incoming) {
        const auto& metadata = incoming.client_metadata();
        const auto header = [&](const char* name) {
            const auto found = metadata.find(name);
            return found == metadata.end()
                       ? std::string_view()
                       : std::string_view(found->second.data(), found->second.size());
        };
        const std::string method = incoming.method();
        span_ = rpc::detail::begin_span(
            method.starts_with('/') ? method.substr(1) : method,
            tracing::parse_trace(header("traceparent"), header("tracestate"))
                .value_or(tracing::TraceContext{}));
        const tracing::ScopedTrace scope(span_->context());
        rpc::propagate_trace(context_);
    }

    void caller_read(bool ok) {
        const std::lock_guard lock(mutex_);
        if (!write_held_) {
            return;  // the backend has answered without waiting for more
        }
        if (ok) {
            down_.StartWrite(&request_);
            return;
        }
        down_.StartWritesDone();
        release_write();
    }

    void backend_written(bool ok) {
        if (ok) {
            up_.StartRead(&request_);
            return;
        }
        const std::lock_guard lock(mutex_);
        release_write();
    }

    void backend_read(bool ok) {
        if (ok) {
            up_.StartWrite(&answer_);
            return;
        }
        const std::lock_guard lock(mutex_);
        release_write();
        down_.RemoveHold();
    }

    void caller_written(bool ok) {
        if (ok) {
            down_.StartRead(&answer_);
            return;
        }
        context_.TryCancel();
        down_.RemoveHold();
    }

    void backend_done(const grpc::Status& status) {
        const bool by_service =
            rpc::has_details(status) && status.error_code() != grpc::StatusCode::CANCELLED;
        const auto told =
            status.ok() || by_service ? status : rpc::to_status(explain(status, method_));
        rpc::detail::note_status(*span_, told);
        span_->end();
        up_.Finish(told);
    }

    void release_write() {
        if (write_held_) {
            write_held_ = false;
            down_.RemoveHold();
        }
    }

    const PublicMethod& method_;
    std::optional<tracing::Span> span_;
    grpc::ClientContext context_;
    ByteBuffer request_;
    ByteBuffer answer_;
    // Guarded by mutex_.
    std::mutex mutex_;
    bool write_held_ = true;
    Up up_;
    Down down_;
};

}  // namespace

grpc::ServerGenericBidiReactor* GrpcProxy::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
    const PublicMethod* method = backends_.method(context->method());
    if (method == nullptr) {
        return new Refusal(Error{
            Code::unimplemented, "There is no public method of this name.", "NO_SUCH_METHOD", {}});
    }
    return (new ProxyCall(*method, *context, call_timeout_))->up();
}

}  // namespace gantry::gateway
