#pragma once

#include "gantry/base/units.hpp"
#include "gantry/config/binder.hpp"
#include "gantry/hosting/polling_worker.hpp"
#include "gantry/http/client.hpp"
#include "gantry/orders/order.hpp"
#include "gantry/postgres/pool.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gantry::orders {

/// Settings of the order sync, bound under `orders.sync.`.
struct SyncOptions {
    std::string url;                 ///< Where orders are posted; empty: no sync.
    milliseconds interval{300'000};  ///< From the end of one run to the start of the next.
    int batch_size = 100;            ///< Orders claimed at a time.
    milliseconds timeout{10'000};    ///< For one order's request.
    void bind(config::Binder& binder);
};

/// Posts orders that the external system does not have yet, each with its id as Idempotency-Key.
///
/// Orders are claimed in a short transaction, fewest attempts first, and posted outside it. One
/// that is refused waits by a backoff of its own and stops no other. While the system as a whole is
/// away the run ends, what it had claimed is released without an attempt, and the worker tries
/// again after its own backoff. Its state is the health check `orders.sync`.
class OrderSyncWorker final : public hosting::PollingWorker {
public:
    OrderSyncWorker(std::string name, hosting::Context& context, postgres::Pool& pool,
                    http::Client& client, SyncOptions options);
    /// The same with options that a reload may change; the URL stays what it is now.
    OrderSyncWorker(std::string name, hosting::Context& context, postgres::Pool& pool,
                    http::Client& client, std::function<SyncOptions()> options_now);
    ~OrderSyncWorker() override { join(); }

    /// One claimed batch. Public for tests.
    Result<Next> run_once(std::stop_token stop) override;

private:
    struct Claimed {
        Order order;
        int attempts = 0;
    };
    enum class Answer { taken, refused, away };

    Result<std::vector<Claimed>> claim();
    Answer post(const Claimed& claimed, std::string& why, const std::stop_token& stop);
    Result<void> mark_synced(const Uuid& id);
    Result<void> mark_refused(const Claimed& claimed, const std::string& why);
    Result<void> release(const std::vector<Claimed>& claimed, std::size_t from);
    void show(std::size_t synced, std::size_t refused, const std::string& away);

    // Constant after construction.
    postgres::Pool& pool_;
    http::Client& client_;
    std::function<SyncOptions()> options_now_;
    SyncOptions options_;  // of the current run
    http::Url url_;
    health::Reporter& health_;
    metrics::Counter& synced_;
    metrics::Counter& failed_;
};

}  // namespace gantry::orders
