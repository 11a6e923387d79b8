#include "gantry/otlp/options.hpp"

#include "headers.hpp"

#include "gantry/http/client.hpp"

namespace gantry::otlp {

void Options::bind(config::Binder& binder) {
    binder
        .add(
            "tracing.otlp_endpoint", endpoint,
            "Where spans are sent by OTLP/HTTP, such as http://collector:4318 (/v1/traces is added "
            "to a URL without a path); empty: nowhere.")
        .check([](std::string_view text) {
            const auto url = http::Url::parse(text);
            return url ? std::string() : url.error().message;
        });
    binder
        .add("tracing.otlp_headers", headers,
             "Headers of these requests, name=value separated by commas.")
        .secret()
        .check([](std::string_view text) {
            return parse_headers(text) ? std::string() : std::string("must be name=value,…");
        });
    binder
        .add("tracing.sampling_ratio", sampling_ratio,
             "Share of the traces that begin here which are recorded, from 0 to 1; a caller's "
             "decision is kept.")
        .range(0, 1)
        .reloadable();
    binder
        .add("tracing.queue_capacity", queue_capacity,
             "Spans that wait to be sent; more are dropped and counted.")
        .range(1, 1'000'000);
    binder.add("tracing.batch_size", batch_size, "Most spans of a request.").range(1, 10'000);
    binder.add("tracing.interval", interval, "How long spans wait for a batch to become full.")
        .range(100, 60'000);
    // A request must end before the watchdog calls the loop silent.
    binder.add("tracing.timeout", timeout, "Limit of one request.").range(100, 8'000);
}

}  // namespace gantry::otlp
