#include "gateway_fixture.hpp"

#include <string>

namespace gantry::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kJob = R"({"queue":"q","type":"t"})";

class BackendAway : public GatewayTest {};

TEST_F(BackendAway, IsAQuick503AndRecoversByItself) {
    start();
    EXPECT_EQ(gateway->ask("POST", "/v1/jobs", kJob).status, 202);
    const std::string address = backend->address();
    backend.reset();
    for (int i = 0; i < 5; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        const Answer away = gateway->ask("POST", "/v1/jobs", kJob);
        EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
        ASSERT_EQ(away.status, 503) << away.body;
        EXPECT_EQ(away.header("retry-after"), "1");
        EXPECT_EQ(away.json()["reason"], "BACKEND_UNAVAILABLE");
        EXPECT_EQ(away.json()["detail"], "queue-worker cannot be reached.");
        EXPECT_EQ(away.body.find("127.0.0.1"), std::string::npos) << "addresses stay inside";
    }
    EXPECT_EQ(gateway->ask("GET", "/v1/jobs/a").status, 503);
    backend.emplace(script, address);
    EXPECT_TRUE(
        eventually([&] { return gateway->ask("POST", "/v1/jobs", kJob).status == 202; }, 5s));
}

TEST_F(BackendAway, LeavesAWriteInDoubtWhenItBreaksTheCall) {
    start();
    RawClient write(gateway->http());
    write.send(request("POST", "/v1/jobs", R"({"queue":"q","type":"test.hang"})"));
    RawClient read(gateway->http());
    read.send(request("GET", "/v1/jobs/hang"));
    ASSERT_TRUE(eventually([&] { return script.waiting == 2; }));
    backend->stop_within(500ms);
    backend.reset();
    const Answer doubt = write.read();
    EXPECT_EQ(doubt.status, 500) << doubt.body;
    EXPECT_EQ(doubt.json()["code"], "UNKNOWN");
    EXPECT_EQ(doubt.json()["reason"], "OUTCOME_UNKNOWN");
    EXPECT_EQ(doubt.header("retry-after"), "") << "a blind repeat could do the work twice";
    EXPECT_EQ(read.read().status, 503) << "a read that failed changed nothing";
}

TEST_F(BackendAway, IsDegradedOnceItWasThereAndUnreadyBefore) {
    const std::string address = backend->address();
    gateway::Options settings = options();
    backend.reset();
    start(settings);
    ASSERT_TRUE(eventually([&] {
        return gateway->ask("GET", "/health").json()["services"]["queue-worker"]["status"] ==
               "unreachable";
    }));
    EXPECT_FALSE(gateway->process().health.ready());
    EXPECT_EQ(gateway->ask("GET", "/health").status, 503);
    backend.emplace(script, address);
    EXPECT_TRUE(eventually([&] { return gateway->process().health.ready(); }));
    backend.reset();
    EXPECT_TRUE(eventually([&] {
        return gateway->ask("GET", "/health").json()["services"]["queue-worker"]["status"] ==
               "unreachable";
    }));
    EXPECT_TRUE(gateway->process().health.ready()) << "it still answers, and says what is away";
    EXPECT_NE(gateway->process().health.overall(), health::Status::healthy);
}

TEST_F(BackendAway, ShowsABackendThatIsNotReady) {
    backend->process().health.reporter("store", true).report(health::Status::unhealthy);
    start();
    EXPECT_TRUE(eventually([&] {
        return gateway->ask("GET", "/health").json()["services"]["queue-worker"]["status"] ==
               "not ready";
    }));
    backend->process().health.reporter("store", true).report(health::Status::healthy);
    EXPECT_TRUE(eventually([&] { return gateway->process().health.ready(); }));
}

TEST_F(BackendAway, DoesNotTouchTheOthers) {
    start();
    EXPECT_EQ(gateway->ask("GET", "/v1/schedules").status, 503);
    EXPECT_EQ(gateway->ask("GET", "/v1/hl7/messages").json()["detail"],
              "mllp-listener cannot be reached.");
    EXPECT_EQ(gateway->ask("GET", "/v1/jobs/a").status, 200);
}

}  // namespace
}  // namespace gantry::testing
