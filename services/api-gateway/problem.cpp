#include "problem.hpp"

#include "field_value.hpp"
#include "json_writer.hpp"

#include <array>

namespace gantry::gateway {
namespace {

constexpr int kClientClosedRequest = 499;  // nginx's number; no client is there to read it

void add(std::string& out, std::string_view name, std::string_view value) {
    if (value.empty()) {
        return;
    }
    out += ",\"";
    out += name;
    out += "\":";
    write_json_string(value, out);
}

void add_errors(std::string& out, const Error& error) {
    out += ",\"errors\":[";
    for (std::size_t i = 0; i < error.fields.size(); ++i) {
        out += i == 0 ? "{\"field\":" : ",{\"field\":";
        write_json_string(json_spelling(error.fields[i].field), out);
        out += ",\"description\":";
        write_json_string(error.fields[i].description, out);
        out += '}';
    }
    out += ']';
}

void add_resource(std::string& out, const FieldViolation& resource) {
    out += ",\"resource\":{\"type\":";
    write_json_string(resource.field, out);
    out += ",\"id\":";
    write_json_string(resource.description, out);
    out += '}';
}

}  // namespace

int http_status(Code code) {
    switch (code) {
        case Code::cancelled:
            return kClientClosedRequest;
        case Code::invalid_argument:
        case Code::out_of_range:
            return 400;
        case Code::unauthenticated:
            return 401;
        case Code::permission_denied:
            return 403;
        case Code::not_found:
            return 404;
        // The request is well formed, but the state of the resource is against it.
        case Code::already_exists:
        case Code::failed_precondition:
        case Code::aborted:
            return 409;
        case Code::resource_exhausted:
            return 429;
        case Code::unknown:
        case Code::internal:
        case Code::data_loss:
            return 500;
        case Code::unimplemented:
            return 501;
        case Code::unavailable:
            return 503;
        case Code::deadline_exceeded:
            return 504;
    }
    return 500;
}

HttpResponse problem(const Error& error, const ProblemContext& context) {
    return problem(http_status(error.code), error, context);
}

HttpResponse problem(int status, const Error& error, const ProblemContext& context) {
    HttpResponse response;
    response.status = status;
    response.content_type = "application/problem+json";
    std::string& out = response.body;
    out = "{\"type\":\"about:blank\"";
    add(out, "title", reason_phrase(status));
    out += ",\"status\":" + std::to_string(status);
    add(out, "detail", error.message);
    add(out, "instance", context.path);
    add(out, "code", to_string(error.code));
    add(out, "reason", error.reason);
    if (error.code == Code::already_exists && !error.fields.empty()) {
        add_resource(out, error.fields.front());
    } else if (!error.fields.empty()) {
        add_errors(out, error);
    }
    add(out, "trace_id", context.trace_id);
    out += '}';
    if (status == 503 || status == 429) {
        response.headers.emplace_back("Retry-After", "1");
    }
    return response;
}

std::string_view reason_phrase(int status) {
    switch (status) {
        case 100:
            return "Continue";
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 406:
            return "Not Acceptable";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 499:
            return "Client Closed Request";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Unknown";
    }
}

}  // namespace gantry::gateway
