#pragma once

#include "options.hpp"
#include "public_api.hpp"

#include "gantry/base/clock.hpp"
#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"
#include "gantry/tracing/trace.hpp"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace google::protobuf {
class Message;
}

namespace gantry::gateway {

/// What a backend's health service last said.
enum class BackendState {
    unknown,      ///< Not asked yet.
    serving,      ///< It works.
    not_serving,  ///< It answers that it is not ready.
    unreachable,  ///< It does not answer.
};
std::string_view to_string(BackendState state);

/// One service behind the gateway. Thread-safe.
class Backend {
public:
    Backend(std::string_view name, std::shared_ptr<grpc::Channel> channel)
        : name_(name), channel_(std::move(channel)) {}

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

    struct Seen {
        BackendState state = BackendState::unknown;
        Instant since{};
    };
    [[nodiscard]] Seen seen() const;
    void saw(BackendState state, Instant now);

private:
    const std::string name_;
    const std::shared_ptr<grpc::Channel> channel_;
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    Seen seen_;
};

/// Whether a call only reads. If it does, a broken connection leaves nothing in doubt.
enum class Effect { reads, writes };

/// A public method: who serves it, and what it does.
struct PublicMethod {
    Backend* backend = nullptr;
    Effect effect = Effect::writes;
    bool streams = false;
};

/// The services behind the gateway. Thread-safe.
class Backends {
public:
    explicit Backends(const BackendOptions& options);

    [[nodiscard]] Backend& at(BackendId id) { return *backends_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] const std::array<std::unique_ptr<Backend>, kBackendCount>& all() const {
        return backends_;
    }

    /// The method of a gRPC path, `/gantry.jobs.v1.JobService/Get`; null if it is not public.
    [[nodiscard]] const PublicMethod* method(std::string_view path) const;

private:
    std::array<std::unique_ptr<Backend>, kBackendCount> backends_;
    std::map<std::string, PublicMethod, std::less<>> methods_;
};

/// A unary call to a backend that is under way. Thread-safe.
class PendingCall {
public:
    /// Ends the call early; its completion comes with CANCELLED.
    void cancel() { context_.TryCancel(); }

private:
    friend std::shared_ptr<PendingCall> start_call(
        const PublicMethod&, const std::string&, std::unique_ptr<google::protobuf::Message>,
        std::unique_ptr<google::protobuf::Message>, Deadline, const tracing::TraceContext&,
        std::function<void(Result<std::unique_ptr<google::protobuf::Message>>)>);

    grpc::ClientContext context_;
    std::unique_ptr<google::protobuf::Message> request_;
    std::unique_ptr<google::protobuf::Message> answer_;
};

/// Calls `path` and hands the answer, or the error as callers may see it, to `done` on a gRPC
/// thread, exactly once.
std::shared_ptr<PendingCall> start_call(
    const PublicMethod& method, const std::string& path,
    std::unique_ptr<google::protobuf::Message> request,
    std::unique_ptr<google::protobuf::Message> answer, Deadline deadline,
    const tracing::TraceContext& trace,
    std::function<void(Result<std::unique_ptr<google::protobuf::Message>>)> done);

/// What a failed call means to a caller. An error that a service made passes through; one that
/// gRPC's transport made is put into words, says whether the outcome is in doubt, and never shows
/// an address.
Error explain(const grpc::Status& status, const PublicMethod& method);

}  // namespace gantry::gateway
