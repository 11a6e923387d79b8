#include "front.hpp"

#include "health_page.hpp"
#include "problem.hpp"

#include "gantry/base/ensure.hpp"
#include "gantry/logging/log.hpp"
#include "gantry/tracing/span.hpp"

#include <google/protobuf/message.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

namespace gantry::gateway {
namespace {

constexpr std::size_t kStatuses = 600;

bool same(std::string_view a, std::string_view b) {
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Calls `each` with every part of a list.
template <class Each>
void split(std::string_view list, char separator, Each each) {
    while (!list.empty()) {
        const auto end = list.find(separator);
        each(trimmed(list.substr(0, end)));
        list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
    }
}

// RFC 9110 §12.5.1, as far as one media type on offer needs it.
bool accepts_json(std::string_view accept) {
    if (accept.empty()) {
        return true;
    }
    bool accepted = false;
    split(accept, ',', [&](std::string_view range) {
        const std::string_view type = trimmed(range.substr(0, range.find(';')));
        bool refused = false;
        split(range, ';', [&](std::string_view parameter) {
            refused = refused || parameter == "q=0" || parameter == "q=0.0" ||
                      parameter == "q=0.00" || parameter == "q=0.000";
        });
        if (same(type, "*/*") || same(type, "application/*") || same(type, "application/json") ||
            same(type, "application/problem+json")) {
            accepted = accepted || !refused;
        }
    });
    return accepted;
}

bool is_json(std::string_view content_type) {
    if (!same(trimmed(content_type.substr(0, content_type.find(';'))), "application/json")) {
        return false;
    }
    bool utf8 = true;
    split(content_type, ';', [&](std::string_view parameter) {
        if (parameter.size() > 8 && same(parameter.substr(0, 8), "charset=")) {
            utf8 = same(parameter.substr(8), "utf-8") || same(parameter.substr(8), "\"utf-8\"");
        }
    });
    return utf8;
}

tracing::Span span_of(const HttpRequest& request) {
    return {"HTTP request", tracing::SpanKind::server,
            tracing::parse_trace(request.traceparent, request.tracestate)
                .value_or(tracing::TraceContext{})};
}

}  // namespace

/// Counters of one route, made when first needed, then found without a lock.
struct Front::RouteMetrics {
    std::string label;
    metrics::Histogram* latency = nullptr;
    std::array<std::atomic<metrics::Counter*>, kStatuses> by_status{};
};

/// One request on its way to its answer.
struct Front::Exchange {
    Answer answer;
    std::string path;
    tracing::TraceContext trace;
    std::chrono::steady_clock::time_point start;
    std::size_t route = 0;
    std::shared_ptr<tracing::Span> span = {};  // if anybody records it

    [[nodiscard]] HttpResponse refuse(int status, Error error) const {
        return problem(status, error, {path, trace.trace_id_hex()});
    }
    [[nodiscard]] HttpResponse refuse(const Error& error) const {
        return problem(error, {path, trace.trace_id_hex()});
    }
};

Front::Front(const RestApi& api, const Backends& backends, metrics::Registry& metrics,
             Limits limits)
    : api_(api),
      backends_(backends),
      limits_(limits),
      metrics_(metrics),
      in_flight_gauge_(metrics.gauge("gantry_http_requests_in_flight",
                                     "REST requests that wait for a service.")) {
    const auto add = [this](const std::string& label) {
        auto counters = std::make_unique<RouteMetrics>();
        counters->label = label;
        counters->latency = &metrics_.histogram(
            "gantry_http_request_duration_seconds",
            "Time from a whole REST request to its answer, by route.", {{"route", label}});
        counters_.push_back(std::move(counters));
    };
    for (std::size_t i = 0; i < api.size(); ++i) {
        add(api.route(i).label());
        methods_.push_back(backends.method(api.route(i).grpc_path()));
        ENSURE(methods_.back() != nullptr, "every route leads to a public method");
    }
    add("none");
}

Front::~Front() = default;

std::shared_ptr<PendingCall> Front::handle(const HttpRequest& request, Answer answer) {
    auto span = span_of(request);
    Exchange exchange{std::move(answer), std::string(request.path), span.context(),
                      std::chrono::steady_clock::now(), api_.size()};
    if (span.recorded()) {
        exchange.span = std::make_shared<tracing::Span>(std::move(span));
    }
    Router::Match match;
    if (auto response = answer_here(request, exchange, match)) {
        finish(exchange, std::move(*response));
        return nullptr;
    }
    return call(request, match, std::move(exchange));
}

std::optional<HttpResponse> Front::answer_here(const HttpRequest& request, Exchange& exchange,
                                               Router::Match& match) {
    if (request.path == "/health") {
        if (request.method == "GET" || request.method == "HEAD") {
            return health_page(backends_);
        }
        match.kind = Router::Match::Kind::no_method;
        match.allow = "GET, HEAD, OPTIONS";
    } else if (request.path == "*") {
        match.kind = Router::Match::Kind::no_method;
        match.allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    } else if (auto found = api_.router().match(request.method, request.path)) {
        match = std::move(*found);
    } else {
        Error error = std::move(found).error();
        error.reason = "INVALID_PATH";
        error.fields = {{"path", "must be percent-encoded UTF-8"}};
        return exchange.refuse(error);
    }
    if (match.kind == Router::Match::Kind::no_path) {
        return exchange.refuse(
            404, Error{Code::not_found, "There is nothing at this path.", "NO_SUCH_PATH", {}});
    }
    if (match.kind == Router::Match::Kind::no_method) {
        HttpResponse response;
        if (request.method == "OPTIONS") {
            response.status = 204;
        } else {
            response = exchange.refuse(405, Error{Code::unimplemented,
                                                  "This path takes " + match.allow + " only.",
                                                  "METHOD_NOT_ALLOWED",
                                                  {}});
        }
        response.headers.emplace_back("Allow", match.allow);
        return response;
    }
    exchange.route = match.route;
    if (!accepts_json(request.accept)) {
        return exchange.refuse(406, Error{Code::invalid_argument,
                                          "Answers are application/json; Accept excludes it.",
                                          "NOT_ACCEPTABLE",
                                          {}});
    }
    if (!request.content_encoding.empty() && !same(request.content_encoding, "identity")) {
        return exchange.refuse(415, Error{Code::invalid_argument,
                                          "Content-Encoding must be absent or identity.",
                                          "UNSUPPORTED_ENCODING",
                                          {}});
    }
    if (!request.body.empty() && !is_json(request.content_type)) {
        return exchange.refuse(415, Error{Code::invalid_argument,
                                          "Content-Type must be application/json in UTF-8.",
                                          "UNSUPPORTED_MEDIA_TYPE",
                                          {}});
    }
    return std::nullopt;
}

std::shared_ptr<PendingCall> Front::call(const HttpRequest& request, const Router::Match& match,
                                         Exchange exchange) {
    const Route& route = api_.route(match.route);
    auto message = route.read(request, match.variables);
    if (!message) {
        finish(exchange, exchange.refuse(message.error()));
        return nullptr;
    }
    if (!enter()) {
        finish(exchange,
               exchange.refuse(Error{
                   Code::unavailable, "Too many requests wait for an answer.", "OVERLOADED", {}}));
        return nullptr;
    }
    const tracing::TraceContext trace = exchange.trace;
    return start_call(*methods_[match.route], route.grpc_path(), std::move(*message),
                      route.make_answer(), Deadline::after(limits_.call_timeout), trace,
                      [this, &route, exchange = std::move(exchange)](
                          Result<std::unique_ptr<google::protobuf::Message>> answer) {
                          finish(exchange,
                                 answer ? route.write(**answer) : exchange.refuse(answer.error()));
                          leave();
                      });
}

void Front::finish(const Exchange& exchange, HttpResponse response) {
    const auto took = std::chrono::steady_clock::now() - exchange.start;
    RouteMetrics& counters = *counters_[exchange.route];
    auto& slot = counters.by_status[static_cast<std::size_t>(response.status) % kStatuses];
    metrics::Counter* counter = slot.load(std::memory_order_acquire);
    if (counter == nullptr) {
        counter = &metrics_.counter(
            "gantry_http_requests_total", "Answered REST requests by route and status.",
            {{"route", counters.label}, {"code", std::to_string(response.status)}});
        slot.store(counter, std::memory_order_release);
    }
    counter->increment();
    counters.latency->observe(std::chrono::duration<double>(took).count());
    if (logging::enabled(logging::Level::debug)) {
        const tracing::ScopedTrace scope(exchange.trace);
        logging::debug("answered", {{"route", counters.label}, {"status", response.status}});
    }
    if (exchange.span) {
        exchange.span->rename(counters.label);
        exchange.span->set("http.route", counters.label);
        exchange.span->set("http.response.status_code", response.status);
        if (response.status >= 500) {
            exchange.span->fail(Code::internal);
        }
        exchange.span->end();
    }
    response.headers.emplace_back("traceparent", exchange.trace.traceparent());
    exchange.answer(std::move(response));
}

void Front::count_refused(int status) {
    finish(
        Exchange{[](const HttpResponse&) {}, {}, {}, std::chrono::steady_clock::now(), api_.size()},
        HttpResponse{status, {}, {}, {}});
}

bool Front::enter() {
    if (in_flight_.fetch_add(1) >= limits_.max_in_flight) {
        leave();
        return false;
    }
    in_flight_gauge_.set(in_flight_.load());
    return true;
}

void Front::leave() {
    const std::lock_guard lock(mutex_);
    const int left = in_flight_.fetch_sub(1) - 1;
    in_flight_gauge_.set(left);
    if (left == 0) {
        idle_.notify_all();
    }
}

bool Front::await_idle(Deadline limit) {
    std::unique_lock lock(mutex_);
    return idle_.wait_for(lock, limit.remaining(), [this] { return in_flight_.load() == 0; });
}

}  // namespace gantry::gateway
