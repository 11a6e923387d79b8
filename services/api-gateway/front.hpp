#pragma once

#include "backends.hpp"
#include "http_message.hpp"
#include "rest_api.hpp"

#include "gantry/base/deadline.hpp"
#include "gantry/metrics/registry.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace gantry::gateway {

/// What the REST front does with a whole request: finds its route, makes the message, calls the
/// service, makes the answer. Knows no sockets. Thread-safe.
class Front {
public:
    struct Limits {
        int max_in_flight = 512;
        std::chrono::milliseconds call_timeout{30'000};
    };

    Front(const RestApi& api, const Backends& backends, metrics::Registry& metrics, Limits limits);
    ~Front();

    using Answer = std::function<void(HttpResponse)>;

    /// Answers `request` through `answer`, exactly once: before it returns, or later on another
    /// thread. The returned call, if any, can be cancelled while its answer is awaited.
    std::shared_ptr<PendingCall> handle(const HttpRequest& request, Answer answer);

    /// Counts an answer that the connection made by itself.
    void count_refused(int status);

    /// Waits until no call is under way; false if that takes until `limit`.
    bool await_idle(Deadline limit);

private:
    struct RouteMetrics;
    struct Exchange;

    /// The answer to everything but a routed call; nothing for one, whose match is in `match`.
    std::optional<HttpResponse> answer_here(const HttpRequest& request, Exchange& exchange,
                                            Router::Match& match);
    std::shared_ptr<PendingCall> call(const HttpRequest& request, const Router::Match& match,
                                      Exchange exchange);
    void finish(const Exchange& exchange, HttpResponse response);
    bool enter();
    void leave();

    const RestApi& api_;
    const Backends& backends_;
    const Limits limits_;
    metrics::Registry& metrics_;
    metrics::Gauge& in_flight_gauge_;
    std::vector<const PublicMethod*> methods_;             // by route
    std::vector<std::unique_ptr<RouteMetrics>> counters_;  // by route, then one for no route
    std::atomic<int> in_flight_{0};
    std::mutex mutex_;
    std::condition_variable idle_;
};

}  // namespace gantry::gateway
