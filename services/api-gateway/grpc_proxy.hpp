#pragma once

#include "backends.hpp"

#include <grpcpp/generic/async_generic_service.h>

#include <chrono>

namespace gantry::gateway {

/// Passes every call of a public method through to its service: messages as bytes, streams in both
/// directions, deadline, cancellation and error details. Of the caller's metadata only the trace
/// goes on. Thread-safe.
class GrpcProxy final : public grpc::CallbackGenericService {
public:
    /// `backends` must outlive it. A unary call without a deadline, or with a longer one, gets
    /// `call_timeout`.
    GrpcProxy(const Backends& backends, std::chrono::milliseconds call_timeout)
        : backends_(backends), call_timeout_(call_timeout) {}

    grpc::ServerGenericBidiReactor* CreateReactor(
        grpc::GenericCallbackServerContext* context) override;

private:
    const Backends& backends_;
    const std::chrono::milliseconds call_timeout_;
};

}  // namespace gantry::gateway
