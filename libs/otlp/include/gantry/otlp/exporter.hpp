#pragma once

#include "gantry/hosting/alarm.hpp"
#include "gantry/hosting/background_service.hpp"
#include "gantry/hosting/host.hpp"
#include "gantry/http/client.hpp"
#include "gantry/logging/throttle.hpp"
#include "gantry/otlp/options.hpp"
#include "gantry/tracing/span.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gantry::otlp {

class SpanQueue;

/// Sends the process's sampled spans to a collector, as OTLP over HTTP in its JSON encoding
/// (https://opentelemetry.io/docs/specs/otlp/).
///
/// It never keeps the work waiting: spans that find the queue full are dropped and counted. Full
/// batches leave at once, others after an interval. What a collector that is away (no connection,
/// 429, 502, 503, 504) does not take is sent again with backoff and jitter, or after the time that
/// it asks for, and given up after a minute; what it refuses is dropped. All of it is counted in
/// `gantry_tracing_spans_total{outcome}`; a failure shows as Degraded and never otherwise. A stop
/// sends what is queued for at most three seconds and never longer than its limit.
class Exporter final : public hosting::BackgroundService {
public:
    /// Records from its construction on. `options_now` gives the options as they are now; of them
    /// only the sampling ratio is asked for again. `client` must outlive the exporter.
    Exporter(std::string name, hosting::Context& context, std::function<Options()> options_now,
             http::Client& client);
    ~Exporter() override;

    Result<void> stop(Deadline limit) override;

protected:
    Result<void> execute(std::stop_token stop) override;

private:
    enum class Fate { sent, again, refused };
    struct Attempt {
        Fate fate;
        milliseconds pause{0};  ///< What the collector asked for; 0: nothing.
        std::string why;
    };
    using Batch = std::vector<tracing::SpanRecord>;

    /// Sends the batch or drops it. False where `stop` came first: it is still to be sent.
    bool deliver(const Batch& batch, SteadyTime give_up, const std::stop_token& stop);
    Attempt attempt(const std::string& body, milliseconds timeout, const std::stop_token& stop);
    void flush();
    void succeeded(std::size_t spans);
    void failed(const std::string& why);
    void dropped(std::size_t spans, metrics::Counter& counter, const std::string& why);

    // Constant after construction.
    std::function<Options()> options_now_;
    Options options_;
    http::Client& client_;
    http::Url url_;
    std::vector<std::pair<std::string, std::string>> headers_;
    std::string instance_;
    metrics::Counter& sent_;
    metrics::Counter& refused_;
    metrics::Counter& given_up_;
    // Self-synchronised.
    std::shared_ptr<SpanQueue> queue_;
    std::atomic<SteadyTime::rep> flush_until_;
    // The loop's thread only.
    Batch unsent_;
    bool failing_ = false;
    logging::Throttle throttle_{milliseconds{30'000}};
    // The stopping thread's, after construction.
    std::optional<tracing::Recording> recording_;
};

/// Adds the hosted service `traces` if there is an endpoint, and sets the sampling ratio. Add it
/// before everything whose spans it shall send: it then stops after them.
void add_exporter(hosting::HostBuilder& host, hosting::Context& context,
                  std::function<Options()> options_now);

}  // namespace gantry::otlp
