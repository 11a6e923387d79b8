#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::gateway {

/// A whole HTTP request, as far as the gateway reads it. Views of the connection's memory, valid
/// until the request is answered.
struct HttpRequest {
    std::string_view method{};
    std::string_view path{};   ///< As on the wire.
    std::string_view query{};  ///< Without the question mark.
    std::string_view accept{};
    std::string_view content_type{};
    std::string_view content_encoding{};
    std::string_view idempotency_key{};
    std::string_view traceparent{};
    std::string_view tracestate{};
    std::string_view body{};
};

/// An answer. The connection adds Date, Content-Length and Connection.
struct HttpResponse {
    int status = 200;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string_view, std::string>> headers;  ///< Names are literals.
    std::string body;
};

/// The reason phrase of a status.
std::string_view reason_phrase(int status);

}  // namespace gantry::gateway
