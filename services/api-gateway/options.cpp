#include "options.hpp"

namespace gantry::gateway {

void HttpOptions::bind(config::Binder& binder) {
    binder.add("http.listen", listen, "host:port of the REST front; port 0 picks a free one")
        .required()
        .listen_address();
    binder.add("http.threads", threads, "I/O threads of the REST front").range(1, 64);
    binder.add("http.max_connections", max_connections, "more are answered 503 and closed")
        .range(1, 1'000'000);
    binder
        .add("http.max_in_flight", max_in_flight,
             "requests at a time that wait for a service; more are answered 503")
        .range(1, 1'000'000);
    binder.add("http.max_header_size", max_header_size, "request line and header fields together")
        .range(1'024, 1024 * 1024);
    binder.add("http.max_body_size", max_body_size, "largest request body")
        .range(1'024, 64 * 1024 * 1024);
    binder.add("http.header_timeout", header_timeout, "for the whole head, from its first byte")
        .range(100, 600'000);
    binder.add("http.body_timeout", body_timeout, "for the whole body").range(100, 3'600'000);
    binder.add("http.write_timeout", write_timeout, "for the client to take an answer")
        .range(100, 3'600'000);
    binder.add("http.idle_timeout", idle_timeout, "between requests of a connection")
        .range(100, 3'600'000);
    binder
        .add("http.call_timeout", call_timeout,
             "for a service's answer, on both fronts; a gRPC client's shorter deadline wins")
        .range(100, 3'600'000);
}

void BackendOptions::bind(config::Binder& binder) {
    binder.add("backends.queue_worker", queue_worker, "gRPC target of queue-worker, host:port")
        .required();
    binder.add("backends.outbox_relay", outbox_relay, "gRPC target of outbox-relay, host:port")
        .required();
    binder.add("backends.scheduler", scheduler, "gRPC target of scheduler, host:port").required();
    binder.add("backends.mllp_listener", mllp_listener, "gRPC target of mllp-listener, host:port")
        .required();
    binder
        .add("backends.probe_interval", probe_interval,
             "between two looks at a service's health; four times as often until it is found")
        .range(100, 600'000)
        .reloadable();
}

void Options::bind(config::Binder& binder) {
    admin.bind(binder);
    http.bind(binder);
    grpc.bind(binder);
    backends.bind(binder);
    tracing.bind(binder);
}

}  // namespace gantry::gateway
