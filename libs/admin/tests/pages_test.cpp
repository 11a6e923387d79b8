#include "../src/pages.hpp"

#include "gantry/base/time.hpp"
#include "rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace gantry::admin {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

TEST(Pages, ReadyNeedsStartAndChecksAndNoStop) {
    Rig rig;
    auto& kafka = rig.health.reporter("kafka", true);
    EXPECT_EQ(rig.get("/readyz").status, 503);
    EXPECT_EQ(rig.get("/startupz").status, 503);
    rig.start();
    EXPECT_EQ(rig.get("/startupz").status, 200);
    EXPECT_EQ(rig.get("/readyz").body, "unready: kafka\n");
    kafka.report(health::Status::degraded, "one away");
    EXPECT_EQ(rig.get("/readyz?verbose").status, 200);
    rig.lifetime.stop("test");
    EXPECT_EQ(rig.get("/readyz").body, "stopping\n");
    EXPECT_EQ(rig.get("/livez").status, 200);
}

TEST(Pages, StalledLoopTurnsOnlyLivenessRed) {
    Rig rig;
    rig.start();
    const auto heartbeat = rig.watchdog.watch("loop");
    rig.clock.advance(31s);
    rig.watchdog.step();
    EXPECT_EQ(rig.get("/livez").status, 503);
    EXPECT_EQ(rig.get("/livez").body, "stalled: loop\n");
    EXPECT_EQ(rig.get("/readyz").status, 200);
}

TEST(Pages, HealthShowsChecksAndServices) {
    Rig rig;
    rig.start();
    rig.health.reporter("kafka", true).report(health::Status::healthy, "up");
    rig.health.reporter("service:relay", false).report(health::Status::degraded, "restarting");
    rig.lifetime.set_service({"relay"});
    rig.lifetime.count_restart("relay");
    rig.lifetime.count_restart("relay");
    rig.lifetime.record_error("relay", {Code::unavailable, "secret", "BROKER_AWAY", {}},
                              rig.clock.now());
    const auto page = rig.get("/health");
    EXPECT_EQ(page.status, 200);
    const auto body = nlohmann::json::parse(page.body);
    EXPECT_EQ(body["status"], "degraded");
    EXPECT_EQ(body["ready"], true);
    EXPECT_EQ(body["checks"][0]["name"], "kafka");
    EXPECT_EQ(body["services"][0]["name"], "relay");
    EXPECT_EQ(body["services"][0]["restarts"], 2);
    EXPECT_EQ(body["services"][0]["detail"], "restarting");
    EXPECT_EQ(body["services"][0]["lastError"]["kind"], "BROKER_AWAY");
    EXPECT_EQ(body["services"][0]["lastError"]["at"], format_rfc3339(rig.clock.now()));
    EXPECT_FALSE(body["checks"][0].contains("lastError"));
    EXPECT_THAT(page.body, Not(HasSubstr("secret")));
}

TEST(Pages, HealthShowsTagsAndTheLastFailureOfACheck) {
    Rig rig;
    ASSERT_TRUE(rig.health.add({.name = "db",
                                .run = [](auto) -> health::CheckResult { throw 1; },
                                .tags = {"store", "critical"}}));
    rig.health.start();
    rig.clock.wait_for_sleepers(2);
    const auto check = nlohmann::json::parse(rig.get("/health").body)["checks"][0];
    EXPECT_EQ(check["tags"], nlohmann::json({"store", "critical"}));
    EXPECT_EQ(check["lastError"]["kind"], "exception");
    EXPECT_EQ(check["status"], "unhealthy");
    rig.health.stop();
}

TEST(Pages, WrongMethodAndPathAreRefused) {
    Rig rig;
    EXPECT_EQ(answer(rig.context, "POST", "/health").status, 405);
    EXPECT_EQ(answer(rig.context, "POST", "/health").allow, "GET, HEAD");
    EXPECT_EQ(rig.get("/nothing").status, 404);
    EXPECT_EQ(rig.get("/metrics").content_type, "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_THAT(rig.get("/version").body, HasSubstr("1.2.3"));
}

}  // namespace
}  // namespace gantry::admin
