#include "gantry/rpc/status.hpp"

#include "gantry/base/ensure.hpp"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

#include <utility>

namespace gantry::rpc {
namespace {

constexpr std::string_view kDomain = "gantry";

bool hides_message(const Error& error) {
    switch (error.code) {
        case Code::internal:
        case Code::data_loss:
            return true;
        case Code::unknown:
            return error.reason.empty();
        default:
            return false;
    }
}

std::string public_message(const Error& error) {
    if (!hides_message(error)) {
        return error.message;
    }
    return "The service failed; its log says why.";
}

void add_fields(google::rpc::Status& details, const Error& error) {
    if (error.fields.empty()) {
        return;
    }
    if (error.code == Code::already_exists) {
        google::rpc::ResourceInfo resource;
        resource.set_resource_type(error.fields.front().field);
        resource.set_resource_name(error.fields.front().description);
        details.add_details()->PackFrom(resource);
        return;
    }
    google::rpc::BadRequest bad;
    for (const FieldViolation& fault : error.fields) {
        auto& violation = *bad.add_field_violations();
        violation.set_field(fault.field);
        violation.set_description(fault.description);
    }
    details.add_details()->PackFrom(bad);
}

void read_detail(const google::protobuf::Any& detail, Error& error) {
    if (google::rpc::ErrorInfo info; detail.UnpackTo(&info)) {
        error.reason = info.reason();
    } else if (google::rpc::BadRequest bad; detail.UnpackTo(&bad)) {
        for (auto& violation : *bad.mutable_field_violations()) {
            error.fields.push_back({std::move(*violation.mutable_field()),
                                    std::move(*violation.mutable_description())});
        }
    } else if (google::rpc::ResourceInfo resource; detail.UnpackTo(&resource)) {
        error.fields.push_back({resource.resource_type(), resource.resource_name()});
    }
}

}  // namespace

grpc::Status to_status(const Error& error) {
    const std::string message = public_message(error);
    google::rpc::Status details;
    details.set_code(static_cast<int>(error.code));
    details.set_message(message);
    google::rpc::ErrorInfo info;
    info.set_reason(error.reason);
    info.set_domain(std::string(kDomain));
    details.add_details()->PackFrom(info);
    add_fields(details, error);
    if (error.code == Code::unavailable) {
        google::rpc::RetryInfo retry;
        retry.mutable_retry_delay()->set_seconds(1);
        details.add_details()->PackFrom(retry);
    }
    return {static_cast<grpc::StatusCode>(error.code), message, details.SerializeAsString()};
}

Error to_error(const grpc::Status& status) {
    ENSURE(!status.ok(), "a status that is OK is no error");
    Error error;
    error.code = static_cast<Code>(status.error_code());
    error.message = status.error_message();
    if (const auto code = static_cast<int>(status.error_code()); code < 1 || code > 16) {
        error.code = Code::unknown;
    }
    google::rpc::Status details;
    if (!status.error_details().empty() && details.ParseFromString(status.error_details())) {
        for (const auto& detail : details.details()) {
            read_detail(detail, error);
        }
    }
    return error;
}

bool has_details(const grpc::Status& status) {
    return !status.error_details().empty();
}

}  // namespace gantry::rpc
