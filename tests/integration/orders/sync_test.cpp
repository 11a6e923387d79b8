#include "fixture.hpp"
#include "gantry/http/client.hpp"
#include "gantry/orders/sync_worker.hpp"

#include <functional>
#include <map>
#include <nlohmann/json.hpp>

namespace gantry::orders {
namespace {

/// The external system: answers what the test says, and counts.
class FakeSystem : public http::Client {
public:
    Result<http::Response> send(const http::Request& request, std::stop_token stop) override {
        const auto body = nlohmann::json::parse(request.body);
        const auto number = body["number"].get<std::string>();
        ++posted[number];
        for (const auto& [name, value] : request.headers) {
            if (name == "Idempotency-Key") {
                keys[number] = value;
            }
        }
        bodies[number] = request.body;
        return answer(number, std::move(stop));
    }

    std::function<Result<http::Response>(const std::string&, std::stop_token)> answer =
        [](const std::string&, std::stop_token) { return http::Response{201, {}}; };
    std::map<std::string, int> posted;
    std::map<std::string, std::string> keys;
    std::map<std::string, std::string> bodies;
};

class SyncTest : public OrdersTest {
protected:
    SyncTest() {
        options.url = "http://lab.example/orders";
        options.interval = milliseconds{3'600'000};
    }
    std::int64_t synced() const { return count("orders.orders WHERE synced_at IS NOT NULL"); }
    std::string health_detail() const {
        for (const auto& check : health.snapshot()) {
            if (check.name == "orders.sync") {
                return check.detail;
            }
        }
        return {};
    }

    health::Registry health{system_clock()};
    health::Watchdog watchdog{system_clock(), {}};
    hosting::Lifetime lifetime;
    hosting::Context context{"queue-worker", "0",      system_clock(), metrics,
                             health,         watchdog, lifetime};
    FakeSystem system;
    SyncOptions options;
};

TEST_F(SyncTest, PostsEachOrderOnceWithItsIdAsKey) {
    const auto one = create("A-1");
    create("A-2");
    OrderSyncWorker sync("order-sync", context, pool, system, options);
    EXPECT_TRUE(sync.run_once({}));
    EXPECT_TRUE(sync.run_once({}));
    EXPECT_EQ(synced(), 2);
    EXPECT_EQ(system.posted, (std::map<std::string, int>{{"A-1", 1}, {"A-2", 1}}));
    EXPECT_EQ(system.keys["A-1"], one.id.to_string());
    EXPECT_EQ(nlohmann::json::parse(system.bodies["A-1"])["patientRef"], "PAT-77");
}

TEST_F(SyncTest, OneRefusedOrderStopsNoOther) {
    for (const auto* number : {"A-1", "A-2", "A-3", "A-4"}) {
        create(number);
    }
    system.answer = [](const std::string& number, std::stop_token) {
        return http::Response{number == "A-2" ? 422 : 200, {}};
    };
    OrderSyncWorker sync("order-sync", context, pool, system, options);
    EXPECT_TRUE(sync.run_once({}));
    EXPECT_EQ(synced(), 3);
    EXPECT_EQ(count("orders.orders WHERE number = 'A-2' AND sync_error LIKE '%422%' "
                    "AND sync_attempts = 1 AND sync_lease_until > now()"),
              1)
        << "it waits by its own backoff";
    EXPECT_NE(health_detail().find("1 refused"), std::string::npos) << health_detail();
}

TEST_F(SyncTest, OneThatIsNotAnsweredStopsNoOther) {
    for (const auto* number : {"A-1", "A-2", "A-3"}) {
        create(number);
    }
    system.answer = [](const std::string& number, std::stop_token) -> Result<http::Response> {
        if (number == "A-1") {
            return fail(Code::deadline_exceeded, "no answer in time");
        }
        return http::Response{204, {}};
    };
    OrderSyncWorker sync("order-sync", context, pool, system, options);
    EXPECT_TRUE(sync.run_once({}));
    EXPECT_EQ(synced(), 2);
}

TEST_F(SyncTest, ASystemThatIsAwayEndsTheRunAndCostsTheOthersNoAttempt) {
    for (int i = 0; i < 10; ++i) {
        create("A-" + std::to_string(i));
    }
    system.answer = [](const std::string&, std::stop_token) -> Result<http::Response> {
        return fail(Code::unavailable, "connection refused");
    };
    OrderSyncWorker sync("order-sync", context, pool, system, options);
    const auto run = sync.run_once({});
    ASSERT_FALSE(run);
    EXPECT_EQ(run.error().code, Code::unavailable);
    EXPECT_EQ(system.posted.size(), 3U);
    EXPECT_EQ(count("orders.orders WHERE sync_attempts = 0 AND sync_lease_until IS NULL"), 7);
    system.answer = [](const std::string&, std::stop_token) { return http::Response{200, {}}; };
    EXPECT_TRUE(sync.run_once({}));
    EXPECT_EQ(synced(), 7) << "those that were tried wait a little longer";
    database.exec("UPDATE orders.orders SET sync_lease_until = now() WHERE synced_at IS NULL");
    EXPECT_TRUE(sync.run_once({}));
    EXPECT_EQ(synced(), 10);
}

TEST_F(SyncTest, TakesABatchAtATimeAndAsksForMore) {
    for (int i = 0; i < 5; ++i) {
        create("A-" + std::to_string(i));
    }
    options.batch_size = 2;
    OrderSyncWorker sync("order-sync", context, pool, system, options);
    EXPECT_TRUE(sync.run_once({}));
    EXPECT_EQ(synced(), 2);
    EXPECT_TRUE(sync.run_once({}));
    EXPECT_TRUE(sync.run_once({}));
    EXPECT_EQ(synced(), 5);
}

TEST_F(SyncTest, TwoWorkersPostNoOrderTwice) {
    for (int i = 0; i < 40; ++i) {
        create("A-" + std::to_string(i));
    }
    FakeSystem other;
    OrderSyncWorker first("order-sync", context, pool, system, options);
    options.batch_size = 20;
    OrderSyncWorker second("order-sync-2", context, pool, other, options);
    {
        const std::jthread a([&] { EXPECT_TRUE(first.run_once({})); });
        const std::jthread b([&] { EXPECT_TRUE(second.run_once({})); });
    }
    EXPECT_EQ(synced(), 40);
    EXPECT_EQ(system.posted.size() + other.posted.size(), 40U);
}

TEST_F(SyncTest, AStopReleasesWhatWasClaimed) {
    for (int i = 0; i < 5; ++i) {
        create("A-" + std::to_string(i));
    }
    std::stop_source stop;
    system.answer = [&](const std::string& number, std::stop_token) -> Result<http::Response> {
        if (number == "A-1") {
            stop.request_stop();
            return fail(Code::cancelled, "stopped");
        }
        return http::Response{200, {}};
    };
    OrderSyncWorker sync("order-sync", context, pool, system, options);
    EXPECT_TRUE(sync.run_once(stop.get_token()));
    EXPECT_EQ(synced(), 1);
    EXPECT_EQ(count("orders.orders WHERE synced_at IS NULL AND sync_lease_until IS NULL "
                    "AND sync_attempts = 0"),
              4);
}

TEST_F(SyncTest, TheErrorThatIsKeptHoldsNoPersonalData) {
    create("A-1");
    system.answer = [](const std::string&, std::stop_token) { return http::Response{400, {}}; };
    OrderSyncWorker sync("order-sync", context, pool, system, options);
    EXPECT_TRUE(sync.run_once({}));
    EXPECT_EQ(count("orders.orders WHERE sync_error LIKE '%PAT%'"), 0);
    EXPECT_EQ(health_detail().find("PAT"), std::string::npos);
}

}  // namespace
}  // namespace gantry::orders
