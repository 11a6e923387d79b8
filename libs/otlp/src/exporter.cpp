#include "gantry/otlp/exporter.hpp"

#include "encode.hpp"
#include "headers.hpp"
#include "span_queue.hpp"

#include "gantry/base/backoff.hpp"
#include "gantry/base/ensure.hpp"
#include "gantry/base/uuid.hpp"
#include "gantry/logging/log.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace gantry::otlp {
namespace {

constexpr milliseconds kSlice{3'000};      // an idle loop beats at least so often
constexpr milliseconds kGiveUp{60'000};    // for a batch, while the process works
constexpr milliseconds kFlush{3'000};      // for everything, when it stops
constexpr milliseconds kFlushMargin{200};  // of the stop's limit, for the loop to end in
constexpr milliseconds kLongestPause{30'000};
constexpr Backoff::Limits kBackoff{milliseconds{500}, milliseconds{10'000}, milliseconds{50}};
constexpr std::string_view kSpans = "gantry_tracing_spans_total";
constexpr std::string_view kSpansHelp = "Recorded spans by what became of them.";

http::Url url_of(const std::string& endpoint) {
    auto url = http::Url::parse(endpoint);
    ENSURE(url, "the endpoint was validated with the options");
    if (url->target == "/") {
        url->target = "/v1/traces";
    }
    return *std::move(url);
}

bool worth_repeating(int status) {
    return status == 429 || status == 502 || status == 503 || status == 504;
}

// Retry-After in seconds; of its other form, a date, nothing.
milliseconds pause_of(std::string_view retry_after) {
    int seconds = 0;
    const auto [end, error] =
        std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
    if (error != std::errc{} || end != retry_after.data() + retry_after.size() || seconds < 0) {
        return milliseconds{0};
    }
    return std::min<milliseconds>(std::chrono::seconds{seconds}, kLongestPause);
}

}  // namespace

Exporter::Exporter(std::string name, hosting::Context& context,
                   std::function<Options()> options_now, http::Client& client)
    : BackgroundService(std::move(name), context),
      options_now_(std::move(options_now)),
      options_(options_now_()),
      client_(client),
      url_(url_of(options_.endpoint)),
      headers_(parse_headers(options_.headers).value_or(decltype(headers_){})),
      instance_(Uuid::v7().to_string()),
      sent_(context.metrics.counter(kSpans, kSpansHelp, {{"outcome", "sent"}})),
      refused_(context.metrics.counter(kSpans, kSpansHelp, {{"outcome", "refused"}})),
      given_up_(context.metrics.counter(kSpans, kSpansHelp, {{"outcome", "given_up"}})),
      queue_(std::make_shared<SpanQueue>(
          context.clock, static_cast<std::size_t>(options_.queue_capacity),
          static_cast<std::size_t>(options_.batch_size),
          context.metrics.counter(kSpans, kSpansHelp, {{"outcome", "queue_full"}}))),
      flush_until_(SteadyTime::min().time_since_epoch().count()) {
    headers_.emplace_back("Content-Type", "application/json");
    recording_.emplace(queue_);
}

Exporter::~Exporter() {
    recording_.reset();
    join();
}

Result<void> Exporter::stop(Deadline limit) {
    // Who still ends spans has no one to tell them to.
    recording_.reset();
    const auto until = std::min(limit.at() - kFlushMargin, context().clock.steady_now() + kFlush);
    flush_until_ = until.time_since_epoch().count();
    return BackgroundService::stop(limit);
}

Result<void> Exporter::execute(std::stop_token stop) {
    auto& clock = context().clock;
    SteadyTime next = clock.steady_now() + options_.interval;
    while (!stop.stop_requested()) {
        beat();
        tracing::set_sampling_ratio(options_now_().sampling_ratio);
        const auto batch_size = static_cast<std::size_t>(options_.batch_size);
        if (clock.steady_now() < next && queue_->size() < batch_size) {
            queue_->alarm().wait_until(std::min(next, clock.steady_now() + kSlice), stop);
            continue;
        }
        unsent_ = queue_->next();
        if (!unsent_.empty() && !deliver(unsent_, clock.steady_now() + kGiveUp, stop)) {
            break;
        }
        unsent_.clear();
        if (queue_->size() < batch_size) {
            next = clock.steady_now() + options_.interval;
        }
    }
    flush();
    return {};
}

void Exporter::flush() {
    const SteadyTime until{SteadyTime::duration{flush_until_.load()}};
    if (unsent_.empty()) {
        unsent_ = queue_->next();
    }
    for (; !unsent_.empty(); unsent_ = queue_->next()) {
        beat();
        deliver(unsent_, until, {});
    }
}

bool Exporter::deliver(const Batch& batch, SteadyTime give_up, const std::stop_token& stop) {
    auto& clock = context().clock;
    const std::string body = encode({context().service, context().version, instance_}, batch);
    Backoff backoff(kBackoff);
    std::string why = "the process stops";
    while (clock.steady_now() < give_up) {
        beat();
        const auto left = Deadline(give_up).remaining(clock);
        const auto attempted = attempt(body, std::min(options_.timeout, left), stop);
        if (attempted.fate == Fate::sent) {
            succeeded(batch.size());
            return true;
        }
        if (stop.stop_requested()) {
            return false;
        }
        why = attempted.why;
        failed(why);
        if (attempted.fate == Fate::refused) {
            dropped(batch.size(), refused_, why);
            return true;
        }
        const SteadyTime again = clock.steady_now() + std::max(attempted.pause, backoff.next());
        if (again >= give_up) {
            break;
        }
        while (clock.steady_now() < again) {
            beat();
            if (!clock.sleep_until(std::min(again, clock.steady_now() + kSlice), stop)) {
                return false;
            }
        }
    }
    dropped(batch.size(), given_up_, why);
    return true;
}

Exporter::Attempt Exporter::attempt(const std::string& body, milliseconds timeout,
                                    const std::stop_token& stop) {
    http::Request request;
    request.url = url_;
    request.headers = headers_;
    request.body = body;
    request.timeout = timeout;
    const auto response = client_.send(request, stop);
    if (!response) {
        return {Fate::again, milliseconds{0}, response.error().message};
    }
    if (response->status >= 200 && response->status < 300) {
        return {Fate::sent, milliseconds{0}, {}};
    }
    std::string why = "the collector answered " + std::to_string(response->status);
    if (worth_repeating(response->status)) {
        return {Fate::again, pause_of(response->retry_after), std::move(why)};
    }
    return {Fate::refused, milliseconds{0}, std::move(why)};
}

void Exporter::succeeded(std::size_t spans) {
    sent_.increment(static_cast<double>(spans));
    if (std::exchange(failing_, false)) {
        report(health::Status::healthy, "running");
        logging::info("the collector takes spans again");
    }
}

void Exporter::failed(const std::string& why) {
    failing_ = true;
    report(health::Status::degraded, "spans are not taken: " + why);
}

void Exporter::dropped(std::size_t spans, metrics::Counter& counter, const std::string& why) {
    counter.increment(static_cast<double>(spans));
    if (const auto held_back = throttle_.pass(context().clock.steady_now())) {
        logging::warning("spans dropped",
                         {{"spans", spans}, {"why", why}, {"batches_before", *held_back}});
    }
}

void add_exporter(hosting::HostBuilder& host, hosting::Context& context,
                  std::function<Options()> options_now) {
    const Options options = options_now();
    tracing::set_sampling_ratio(options.sampling_ratio);
    if (options.endpoint.empty()) {
        return;
    }
    const std::shared_ptr<http::Client> client = http::make_client();
    // Whatever goes wrong with telling about the work, the work goes on.
    host.add("traces",
             [client, &context, options_now = std::move(options_now)] {
                 return std::make_unique<Exporter>("traces", context, options_now, *client);
             },
             {.on_fault = hosting::OnEnd::ignore});
}

}  // namespace gantry::otlp
