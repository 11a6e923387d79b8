#pragma once

#include "field_value.hpp"
#include "http_message.hpp"
#include "router.hpp"

#include "gantry/base/result.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class MethodDescriptor;
class ServiceDescriptor;
}  // namespace google::protobuf

namespace gantry::gateway {

/// One google.api.http binding of one method: how a request becomes a message, and the message that
/// answers becomes a response. Immutable, so thread-safe.
class Route {
public:
    /// Reads a binding. `invalid_argument` says what in the annotation cannot work.
    struct Binding {
        std::string http_method;
        std::string path;
        std::string body;
        std::string response_body;
    };
    static Result<Route> create(const google::protobuf::MethodDescriptor& method, Binding binding);

    /// For logs and metrics: `POST /v1/orders/{id}/process`.
    [[nodiscard]] const std::string& label() const { return label_; }
    [[nodiscard]] const google::protobuf::MethodDescriptor& method() const { return *method_; }
    /// `/gantry.jobs.v1.JobService/Get`.
    [[nodiscard]] const std::string& grpc_path() const { return grpc_path_; }
    [[nodiscard]] const std::string& http_method() const { return binding_.http_method; }
    [[nodiscard]] const PathTemplate& path() const { return path_; }
    /// True if repeating the call changes nothing.
    [[nodiscard]] bool safe() const { return binding_.http_method == "GET"; }

    /// The request message. `variables` are the path's, decoded. The error names each field at
    /// fault.
    [[nodiscard]] Result<std::unique_ptr<Message>> read(
        const HttpRequest& request, std::span<const std::string> variables) const;

    /// An empty message for the answer.
    [[nodiscard]] std::unique_ptr<Message> make_answer() const;

    /// The success that `answer` stands for: status, Location and body.
    [[nodiscard]] HttpResponse write(const Message& answer) const;

private:
    struct LocationPart {
        std::string text;                ///< Literal text in front of the field.
        std::optional<FieldPath> field;  ///< None after the last field.
    };

    Route() = default;
    Result<void> bind_path();
    Result<void> bind_body();
    Result<void> bind_answer();
    [[nodiscard]] Result<void> read_body(const HttpRequest& request, Message& message) const;
    [[nodiscard]] Result<void> read_key(const HttpRequest& request, Message& message) const;

    const google::protobuf::MethodDescriptor* method_ = nullptr;
    const Message* input_ = nullptr;
    const Message* output_ = nullptr;
    Binding binding_;
    PathTemplate path_;
    std::string label_;
    std::string grpc_path_;
    std::vector<FieldPath> variables_;
    std::vector<const FieldDescriptor*> reserved_;  ///< Set by the path or the body.
    bool has_body_ = false;
    const FieldDescriptor* body_field_ = nullptr;      ///< Null for the whole message.
    const FieldDescriptor* response_field_ = nullptr;  ///< Null for the whole message.
    const FieldDescriptor* request_id_ = nullptr;
    int status_ = 200;
    std::vector<LocationPart> location_;
};

/// All routes of the public services. Immutable, so thread-safe.
class RestApi {
public:
    /// Reads the google.api.http annotations of every method. The error lists conflicts, methods
    /// without an annotation and annotations that cannot work: the gateway does not start with it.
    static Result<RestApi> create(
        std::span<const google::protobuf::ServiceDescriptor* const> services);

    [[nodiscard]] const Router& router() const { return router_; }
    [[nodiscard]] const Route& route(std::size_t index) const { return routes_[index]; }
    [[nodiscard]] std::size_t size() const { return routes_.size(); }

private:
    Router router_;
    std::deque<Route> routes_;
};

}  // namespace gantry::gateway
