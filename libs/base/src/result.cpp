#include "gantry/base/result.hpp"

namespace gantry {

std::string_view to_string(Code code) {
    switch (code) {
        case Code::cancelled:
            return "CANCELLED";
        case Code::unknown:
            return "UNKNOWN";
        case Code::invalid_argument:
            return "INVALID_ARGUMENT";
        case Code::deadline_exceeded:
            return "DEADLINE_EXCEEDED";
        case Code::not_found:
            return "NOT_FOUND";
        case Code::already_exists:
            return "ALREADY_EXISTS";
        case Code::permission_denied:
            return "PERMISSION_DENIED";
        case Code::resource_exhausted:
            return "RESOURCE_EXHAUSTED";
        case Code::failed_precondition:
            return "FAILED_PRECONDITION";
        case Code::aborted:
            return "ABORTED";
        case Code::out_of_range:
            return "OUT_OF_RANGE";
        case Code::unimplemented:
            return "UNIMPLEMENTED";
        case Code::internal:
            return "INTERNAL";
        case Code::unavailable:
            return "UNAVAILABLE";
        case Code::data_loss:
            return "DATA_LOSS";
        case Code::unauthenticated:
            return "UNAUTHENTICATED";
    }
    return "UNKNOWN";
}

Error Error::with_context(std::string_view context) && {
    message.insert(0, ": ");
    message.insert(0, context);
    return std::move(*this);
}

bool Error::transient() const {
    return code == Code::unavailable || code == Code::aborted || code == Code::deadline_exceeded ||
           code == Code::resource_exhausted;
}

std::unexpected<Error> fail(Code code, std::string message, std::string reason) {
    return std::unexpected(Error{code, std::move(message), std::move(reason), {}});
}

std::unexpected<Error> invalid(std::string field, std::string description) {
    Error error{Code::invalid_argument, field + ": " + description, "INVALID_FIELD", {}};
    error.fields.push_back({std::move(field), std::move(description)});
    return std::unexpected(std::move(error));
}

}  // namespace gantry
