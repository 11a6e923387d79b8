#include "json_reader.hpp"
#include "json_writer.hpp"
#include "query.hpp"
#include "rest_api.hpp"

#include "gantry/base/ensure.hpp"

#include "gantry/api/v1/answer.pb.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <set>
#include <utility>

namespace gantry::gateway {
namespace {

namespace pb = google::protobuf;

const Message* prototype(const Descriptor& type) {
    return pb::MessageFactory::generated_factory()->GetPrototype(&type);
}

// The name of a type within `type` that has no JSON form here; empty if there is none.
std::string unsupported_type(const Descriptor& type, std::set<const Descriptor*>& seen) {
    if (!seen.insert(&type).second || special_type(type) != SpecialType::none) {
        return special_type(type) == SpecialType::unsupported ? type.full_name() : std::string();
    }
    for (int i = 0; i < type.field_count(); ++i) {
        if (const Descriptor* inner = type.field(i)->message_type(); inner != nullptr) {
            if (auto name = unsupported_type(*inner, seen); !name.empty()) {
                return name;
            }
        }
    }
    return {};
}

// What RFC 3986 allows in a path segment without escaping.
std::string escape_segment(std::string_view text) {
    static constexpr std::string_view kHex = "0123456789ABCDEF";
    static constexpr std::string_view kPlain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    std::string out;
    for (const char c : text) {
        if (kPlain.find(c) != std::string_view::npos) {
            out += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out += '%';
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        }
    }
    return out;
}

}  // namespace

Result<Route> Route::create(const pb::MethodDescriptor& method, Binding binding) {
    Route route;
    route.method_ = &method;
    route.binding_ = std::move(binding);
    route.label_ = route.binding_.http_method + " " + route.binding_.path;
    route.grpc_path_ = "/" + method.service()->full_name() + "/" + method.name();
    route.input_ = prototype(*method.input_type());
    route.output_ = prototype(*method.output_type());
    if (method.client_streaming() || method.server_streaming()) {
        return fail(Code::invalid_argument, "streaming methods have no REST form");
    }
    std::set<const Descriptor*> seen;
    for (const Descriptor* type : {method.input_type(), method.output_type()}) {
        if (const auto name = unsupported_type(*type, seen); !name.empty()) {
            return fail(Code::invalid_argument, "the type " + name + " has no REST form");
        }
    }
    TRY(route.bind_path());
    TRY(route.bind_body());
    TRY(route.bind_answer());
    return route;
}

Result<void> Route::bind_path() {
    path_ = TRY(PathTemplate::parse(binding_.path));
    for (const PathTemplate::Variable& variable : path_.variables) {
        FieldPath field = TRY(FieldPath::resolve(*method_->input_type(), variable.field_path));
        if (!is_scalar(field.field()) || field.field().is_repeated()) {
            return fail(Code::invalid_argument,
                        "the path's field " + variable.field_path + " is no single value");
        }
        reserved_.push_back(&field.first());
        variables_.push_back(std::move(field));
    }
    return {};
}

Result<void> Route::bind_body() {
    has_body_ = !binding_.body.empty();
    if (has_body_ && (binding_.http_method == "GET" || binding_.http_method == "DELETE")) {
        return fail(Code::invalid_argument, binding_.http_method + " takes no body");
    }
    if (has_body_ && binding_.body != "*") {
        body_field_ = method_->input_type()->FindFieldByName(binding_.body);
        if (body_field_ == nullptr) {
            return fail(Code::invalid_argument,
                        "the body's field " + binding_.body + " is unknown");
        }
        reserved_.push_back(body_field_);
    }
    if (!binding_.response_body.empty()) {
        response_field_ = method_->output_type()->FindFieldByName(binding_.response_body);
        if (response_field_ == nullptr) {
            return fail(Code::invalid_argument,
                        "the response_body's field " + binding_.response_body + " is unknown");
        }
    }
    const auto* key = method_->input_type()->FindFieldByName("request_id");
    if (key != nullptr && key->type() == FieldDescriptor::TYPE_STRING && !key->is_repeated()) {
        request_id_ = key;
    }
    return {};
}

Result<void> Route::bind_answer() {
    const auto& answer = method_->options().GetExtension(gantry::api::v1::answer);
    if (answer.status() != 0) {
        if (answer.status() < 200 || answer.status() > 299) {
            return fail(Code::invalid_argument, "the answer's status is no success");
        }
        status_ = answer.status();
    }
    std::string_view rest = answer.location();
    while (!rest.empty()) {
        const auto open = rest.find('{');
        const auto close = rest.find('}');
        LocationPart part;
        part.text = rest.substr(0, open);
        if (open != std::string_view::npos) {
            if (close == std::string_view::npos || close < open) {
                return fail(Code::invalid_argument, "the answer's location has unmatched braces");
            }
            part.field = TRY(FieldPath::resolve(*method_->output_type(),
                                                rest.substr(open + 1, close - open - 1)));
        }
        rest.remove_prefix(open == std::string_view::npos ? rest.size() : close + 1);
        location_.push_back(std::move(part));
    }
    return {};
}

Result<std::unique_ptr<Message>> Route::read(const HttpRequest& request,
                                             std::span<const std::string> variables) const {
    ENSURE(variables.size() == variables_.size(),
           "the router gives every variable of its template");
    std::unique_ptr<Message> message(input_->New());
    if (has_body_ && body_field_ == nullptr) {
        TRY(refuse_query(request.query));
    } else {
        TRY(read_query(request.query, *message, reserved_));
    }
    TRY(read_body(request, *message));
    for (std::size_t i = 0; i < variables.size(); ++i) {
        const FieldPath& path = variables_[i];
        Message& holder = path.holder(*message);
        const auto& reflection = *holder.GetReflection();
        const FieldDescriptor& field = path.field();
        if (body_field_ == nullptr && reflection.HasField(holder, &field)) {
            return invalid(path.json_path(), "is set by the path, not by the body");
        }
        reflection.ClearField(&holder, &field);
        if (!set_from_text(holder, field, variables[i])) {
            return invalid(path.json_path(), allowed(field));
        }
    }
    TRY(read_key(request, *message));
    return message;
}

Result<void> Route::read_body(const HttpRequest& request, Message& message) const {
    if (request.body.empty()) {
        return {};
    }
    if (!has_body_) {
        return std::unexpected(Error{Code::invalid_argument,
                                     "This method takes no body.",
                                     "INVALID_BODY",
                                     {{"body", "must be empty"}}});
    }
    return read_json(request.body, message, body_field_);
}

Result<void> Route::read_key(const HttpRequest& request, Message& message) const {
    if (request.idempotency_key.empty() || request_id_ == nullptr) {
        return {};
    }
    const auto& reflection = *message.GetReflection();
    const std::string given = reflection.GetString(message, request_id_);
    if (!given.empty() && given != request.idempotency_key) {
        return invalid("requestId", "differs from the Idempotency-Key header; send one of them");
    }
    reflection.ClearField(&message, request_id_);
    if (!set_from_text(message, *request_id_, request.idempotency_key)) {
        return invalid("Idempotency-Key", allowed(*request_id_));
    }
    return {};
}

std::unique_ptr<Message> Route::make_answer() const {
    return std::unique_ptr<Message>(output_->New());
}

HttpResponse Route::write(const Message& answer) const {
    HttpResponse response;
    response.status = status_;
    if (response_field_ != nullptr) {
        write_json_field(answer, *response_field_, response.body);
    } else {
        write_json(answer, response.body);
    }
    std::string location;
    for (const LocationPart& part : location_) {
        location += part.text;
        if (part.field) {
            const std::string value = part.field->text(answer);
            if (value.empty()) {
                return response;
            }
            location += escape_segment(value);
        }
    }
    if (!location.empty()) {
        response.headers.emplace_back("Location", std::move(location));
    }
    return response;
}

}  // namespace gantry::gateway
