#pragma once

#include "gantry/base/result.hpp"

#include <grpcpp/support/status.h>

namespace gantry::rpc {

/// `error` as a gRPC status, its details in `grpc-status-details-bin` as a google.rpc.Status:
/// ErrorInfo (always; reason and domain `gantry`), BadRequest for `fields`, RetryInfo (1 s) for
/// `unavailable`. For `already_exists`, the first of `fields` is a ResourceInfo instead: its field
/// is the resource's type, its description the resource's id.
///
/// What a failure means inside is not for callers: `internal`, `data_loss` and `unknown` without a
/// reason lose their message.
grpc::Status to_status(const Error& error);

/// The way back. A status that is OK is a broken invariant.
Error to_error(const grpc::Status& status);

/// True if a server made this status with `to_status`, false if gRPC's transport did.
bool has_details(const grpc::Status& status);

}  // namespace gantry::rpc
