#include "gantry/orders/sync_worker.hpp"

#include "gantry/base/backoff.hpp"
#include "gantry/base/ensure.hpp"
#include "gantry/base/time.hpp"
#include "gantry/logging/log.hpp"
#include "gantry/tracing/span.hpp"
#include "order_rows.hpp"

#include <algorithm>

namespace gantry::orders {
namespace {

constexpr milliseconds kLimit{10'000};
// A claimed order is another worker's again after this much beyond the run's own limit.
constexpr milliseconds kRunLimit{120'000};
constexpr Backoff::Limits kRetry{milliseconds{2'000}, milliseconds{600'000}, milliseconds{500}};
// So many orders in a row without an answer mean that the system is away, not the orders bad.
constexpr int kAway = 3;

constexpr std::string_view kClaim = R"sql(
WITH claimed AS (
    SELECT id FROM orders.orders
    WHERE synced_at IS NULL AND (sync_lease_until IS NULL OR sync_lease_until <= now())
    ORDER BY sync_attempts, id LIMIT $1::integer FOR UPDATE SKIP LOCKED
)
UPDATE orders.orders o
SET sync_lease_until = now() + $2::interval, sync_attempts = o.sync_attempts + 1
FROM claimed c WHERE o.id = c.id
RETURNING )sql";

constexpr std::string_view kSynced = R"sql(
UPDATE orders.orders
SET synced_at = clock_timestamp(), sync_lease_until = NULL, sync_error = NULL, version = version + 1
WHERE id = $1 AND synced_at IS NULL)sql";

constexpr std::string_view kRefused = R"sql(
UPDATE orders.orders SET sync_lease_until = clock_timestamp() + $2::interval, sync_error = $3
WHERE id = $1 AND synced_at IS NULL)sql";

constexpr std::string_view kRelease = R"sql(
UPDATE orders.orders SET sync_lease_until = NULL, sync_attempts = greatest(sync_attempts - 1, 0)
WHERE id = ANY ($1::uuid[]) AND synced_at IS NULL)sql";

/// Answers that are about the system and not about the order.
bool means_away(int status) {
    return status == 429 || status == 502 || status == 503 || status == 504;
}

}  // namespace

void SyncOptions::bind(config::Binder& binder) {
    binder
        .add("orders.sync.url", url,
             "Where orders are posted as JSON, http:// or https://; empty turns the sync off")
        .check([](std::string_view text) -> std::string {
            if (text.empty()) {
                return {};
            }
            const auto parsed = http::Url::parse(text);
            return parsed ? std::string() : parsed.error().message;
        });
    binder.add("orders.sync.interval", interval, "Time between two runs of the order sync")
        .range(100, 86'400'000)
        .reloadable();
    binder.add("orders.sync.batch_size", batch_size, "Orders that one run of the sync claims")
        .range(1, 10'000)
        .reloadable();
    binder.add("orders.sync.timeout", timeout, "Limit for posting one order")
        .range(10, 300'000)
        .reloadable();
}

OrderSyncWorker::OrderSyncWorker(std::string name, hosting::Context& context, postgres::Pool& pool,
                                 http::Client& client, SyncOptions options)
    : OrderSyncWorker(std::move(name), context, pool, client,
                      [options = std::move(options)] { return options; }) {}

OrderSyncWorker::OrderSyncWorker(std::string name, hosting::Context& context, postgres::Pool& pool,
                                 http::Client& client, std::function<SyncOptions()> options_now)
    : hosting::PollingWorker(std::move(name), context,
                             {.interval = [options_now] { return options_now().interval; }}),
      pool_(pool),
      client_(client),
      options_now_(std::move(options_now)),
      options_(options_now_()),
      health_(context.health.reporter("orders.sync", false)),
      synced_(context.metrics.counter("gantry_orders_synced_total",
                                      "Orders that the external system took")),
      failed_(context.metrics.counter("gantry_orders_sync_failures_total",
                                      "Requests with an order that the external system refused or "
                                      "did not answer")) {
    auto url = http::Url::parse(options_.url);
    ENSURE(url.has_value(), "orders.sync.url was validated at start-up");
    url_ = *std::move(url);
    health_.report(health::Status::healthy, "has not run yet");
}

Result<std::vector<OrderSyncWorker::Claimed>> OrderSyncWorker::claim() {
    const auto lease = kRunLimit + options_.timeout + kLimit;
    const auto rows =
        TRY(pool_.exec(Deadline::after(kLimit),
                       std::string(kClaim) + std::string(kOrderColumns) + ", o.sync_attempts",
                       {options_.batch_size, lease}));
    std::vector<Claimed> claimed;
    for (const auto row : rows) {
        claimed.push_back({to_order(row), row.get<int>(10)});
    }
    // RETURNING has no order of its own.
    std::ranges::sort(claimed, [](const Claimed& a, const Claimed& b) {
        return std::pair(a.attempts, a.order.id) < std::pair(b.attempts, b.order.id);
    });
    return claimed;
}

OrderSyncWorker::Answer OrderSyncWorker::post(const Claimed& claimed, std::string& why,
                                              const std::stop_token& stop) {
    tracing::Span span("POST order", tracing::SpanKind::client);
    span.set("gantry.order.id", claimed.order.id.to_string());
    http::Request request;
    request.url = url_;
    request.timeout = options_.timeout;
    request.headers = {{"Content-Type", "application/json"},
                       {"Idempotency-Key", claimed.order.id.to_string()},
                       {"traceparent", span.context().traceparent()}};
    request.body = sync_json(claimed.order);
    const auto response = client_.send(request, stop);
    if (!response) {
        span.fail(response.error().code);
        why = response.error().message;
        return Answer::away;
    }
    span.set("http.response.status_code", response->status);
    if (response->status >= 200 && response->status < 300) {
        return Answer::taken;
    }
    span.fail(Code::unknown);
    why = "the external system answered " + std::to_string(response->status);
    return means_away(response->status) ? Answer::away : Answer::refused;
}

Result<void> OrderSyncWorker::mark_synced(const Uuid& id) {
    TRY(pool_.exec(Deadline::after(kLimit), kSynced, {id}));
    return {};
}

Result<void> OrderSyncWorker::mark_refused(const Claimed& claimed, const std::string& why) {
    const auto ceiling = Backoff::ceiling(kRetry, claimed.attempts - 1);
    const auto pause =
        std::max(kRetry.floor, milliseconds{static_cast<milliseconds::rep>(
                                   random_unit() * static_cast<double>(ceiling.count()))});
    TRY(pool_.exec(Deadline::after(kLimit), kRefused, {claimed.order.id, pause, why}));
    return {};
}

Result<void> OrderSyncWorker::release(const std::vector<Claimed>& claimed, std::size_t from) {
    if (from >= claimed.size()) {
        return {};
    }
    postgres::Params ids;
    for (std::size_t i = from; i < claimed.size(); ++i) {
        ids.emplace_back(claimed[i].order.id);
    }
    TRY(pool_.exec(Deadline::after(kLimit), kRelease, {postgres::array(ids)}));
    return {};
}

void OrderSyncWorker::show(std::size_t synced, std::size_t refused, const std::string& away) {
    std::string detail = "last run " + format_rfc3339(context().clock.now()) + ": " +
                         std::to_string(synced) + " synced, " + std::to_string(refused) +
                         " refused";
    if (!away.empty()) {
        detail += "; the external system is away: " + away;
    }
    health_.report(
        refused == 0 && away.empty() ? health::Status::healthy : health::Status::degraded,
        std::move(detail));
}

Result<OrderSyncWorker::Next> OrderSyncWorker::run_once(std::stop_token stop) {
    const tracing::Span span("orders.sync", tracing::SpanKind::internal, {});
    const tracing::ScopedTrace trace(span.context());
    options_ = options_now_();
    const auto claimed = TRY(claim());
    const auto limit = Deadline::after(kRunLimit, context().clock);
    std::size_t done = 0;
    std::size_t synced = 0;
    std::size_t refused = 0;
    int unanswered = 0;
    std::string away;
    for (; done < claimed.size() && !stop.stop_requested() && unanswered < kAway &&
           !limit.expired(context().clock);
         ++done) {
        beat();
        std::string why;
        switch (post(claimed[done], why, stop)) {
            case Answer::taken:
                TRY(mark_synced(claimed[done].order.id));
                synced_.increment();
                ++synced;
                unanswered = 0;
                continue;
            case Answer::refused:
                unanswered = 0;
                break;
            case Answer::away:
                ++unanswered;
                away = why;
                break;
        }
        if (stop.stop_requested()) {
            break;
        }
        failed_.increment();
        ++refused;
        TRY(mark_refused(claimed[done], why));
        logging::warning(
            "an order was not synced",
            {{"order", claimed[done].order.id}, {"attempt", claimed[done].attempts}, {"why", why}});
    }
    TRY(release(claimed, done));
    const bool is_away = unanswered > 0 && done == static_cast<std::size_t>(unanswered);
    show(synced, refused, unanswered >= kAway || is_away ? away : std::string());
    if (unanswered >= kAway) {
        return fail(Code::unavailable, "the external order system is away");
    }
    const bool more = claimed.size() == static_cast<std::size_t>(options_.batch_size);
    return more ? Next::again : Next::wait;
}

}  // namespace gantry::orders
