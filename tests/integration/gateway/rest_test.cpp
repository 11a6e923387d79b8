#include "gateway_fixture.hpp"

#include "gantry/base/encoding.hpp"

#include <string>

namespace gantry::testing {
namespace {

class Rest : public GatewayTest {
protected:
    void SetUp() override { start(); }
    void fail_with(Error error) {
        const std::lock_guard lock(script.mutex);
        script.failure = std::move(error);
    }
};

TEST_F(Rest, AcceptsAJobWith202AndItsLocation) {
    const Answer answer = gateway->ask(
        "POST", "/v1/jobs",
        R"({"queue":"default","type":"gantry.echo","payload":"AP8=","maxAttempts":3})");
    ASSERT_EQ(answer.status, 202) << answer.body;
    EXPECT_EQ(answer.header("location"), "/v1/jobs/job-1");
    EXPECT_EQ(answer.header("content-type"), "application/json");
    EXPECT_EQ(answer.header("cache-control"), "no-store");
    const auto job = answer.json();
    EXPECT_EQ(job["id"], "job-1");
    EXPECT_EQ(job["state"], "QUEUED");
    EXPECT_EQ(job["payload"], "AP8=");
    EXPECT_EQ(job["dispatch"], "9007199254740993") << "64-bit integers are strings";
    EXPECT_EQ(job["contentType"], "") << "fields that are not set are there";
    EXPECT_TRUE(job["finishTime"].is_null());
    EXPECT_EQ(script.last_enqueue.max_attempts(), 3);
    EXPECT_EQ(script.last_enqueue.payload(), std::string("\0\xff", 2));
}

TEST_F(Rest, MakesAnOrderWith201AndQueuesItsProcessingWith202) {
    const Answer order = gateway->ask(
        "POST", "/v1/orders",
        R"({"number":"A-1","facility":"F","patientRef":"p","items":[{"code":"X","quantity":2}]})");
    ASSERT_EQ(order.status, 201) << order.body;
    EXPECT_EQ(order.header("location"), "/v1/orders/order-1");
    EXPECT_EQ(order.json()["items"][0]["quantity"], 2);
    EXPECT_EQ(order.json()["createdAt"], "2026-01-31T02:00:00Z");
    EXPECT_EQ(order.json()["status"], "PENDING");
    for (const char* body : {"", "{}"}) {
        const Answer process = gateway->ask("POST", "/v1/orders/order-1/process", body);
        ASSERT_EQ(process.status, 202) << process.body;
        EXPECT_EQ(process.header("location"), "/v1/jobs/job-of-order-1");
        EXPECT_EQ(process.json()["message"], "Order processing queued.");
        EXPECT_EQ(process.json()["job"]["id"], "job-of-order-1");
    }
}

TEST_F(Rest, ReadsAndLists) {
    const Answer job = gateway->ask("GET", "/v1/jobs/a%2Fb%20c");
    ASSERT_EQ(job.status, 200);
    EXPECT_EQ(job.json()["id"], "a/b c");
    const Answer list = gateway->ask("GET", "/v1/jobs?queue=default&state=RUNNING&pageSize=7");
    ASSERT_EQ(list.status, 200) << list.body;
    EXPECT_EQ(list.body, R"({"jobs":[],"nextPageToken":""})");
    EXPECT_EQ(script.last_list.state(), jv1::RUNNING);
    EXPECT_EQ(script.last_list.page_size(), 7);
}

TEST_F(Rest, AnswersHeadAndOptions) {
    const Answer get = gateway->ask("GET", "/v1/jobs/x");
    const Answer head = gateway->ask("HEAD", "/v1/jobs/x");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.header("content-length"), get.header("content-length"));
    const Answer options = gateway->ask("OPTIONS", "/v1/jobs");
    EXPECT_EQ(options.status, 204);
    EXPECT_EQ(options.header("allow"), "GET, HEAD, POST, OPTIONS");
    EXPECT_EQ(gateway->ask("OPTIONS", "*").status, 204);
}

TEST_F(Rest, PassesTheIdempotencyKeyOn) {
    EXPECT_EQ(
        gateway
            ->ask("POST", "/v1/jobs", R"({"queue":"q","type":"t"})", "Idempotency-Key: key-7\r\n")
            .status,
        202);
    EXPECT_EQ(script.last_enqueue.request_id(), "key-7");
}

TEST_F(Rest, KeepsTheTraceOfTheCaller) {
    const std::string id = "0af7651916cd43dd8448eb211c80319c";
    const Answer answer = gateway->ask("GET", "/v1/jobs/none", {},
                                       "traceparent: 00-" + id + "-b7ad6b7169203331-01\r\n");
    EXPECT_EQ(script.last_traceparent.substr(3, 32), id);
    EXPECT_EQ(answer.json()["trace_id"], id);
    EXPECT_EQ(answer.header("traceparent").substr(3, 32), id);
    const Answer made = gateway->ask("GET", "/v1/jobs/none");
    EXPECT_EQ(script.last_traceparent.substr(3, 32), made.json()["trace_id"]);
}

TEST_F(Rest, GivesEveryCallADeadline) {
    EXPECT_EQ(gateway->ask("GET", "/v1/jobs/x").status, 200);
    EXPECT_GT(script.last_deadline, milliseconds(10'000));
    EXPECT_LE(script.last_deadline, milliseconds(31'000));
}

TEST_F(Rest, TellsTheServicesErrorsAsProblems) {
    const Answer none = gateway->ask("GET", "/v1/jobs/none");
    EXPECT_EQ(none.status, 404);
    EXPECT_EQ(none.header("content-type"), "application/problem+json");
    EXPECT_EQ(none.json()["code"], "NOT_FOUND");
    EXPECT_EQ(none.json()["reason"], "JOB_NOT_FOUND");
    EXPECT_EQ(none.json()["detail"], "There is no such job.");
    EXPECT_EQ(none.json()["instance"], "/v1/jobs/none");

    fail_with({Code::invalid_argument, "1 fault", "", {{"content_type", "is too long"}}});
    const Answer invalid = gateway->ask("GET", "/v1/jobs/x");
    EXPECT_EQ(invalid.status, 400);
    EXPECT_EQ(invalid.json()["errors"][0]["field"], "contentType");

    fail_with({Code::unavailable, "PostgreSQL is away.", "STORE_UNAVAILABLE", {}});
    const Answer away = gateway->ask("POST", "/v1/jobs", R"({"queue":"q","type":"t"})");
    EXPECT_EQ(away.status, 503);
    EXPECT_EQ(away.header("retry-after"), "1");
    EXPECT_EQ(away.json()["reason"], "STORE_UNAVAILABLE");

    fail_with({Code::unknown, "Repeat with the same key.", "COMMIT_UNKNOWN", {}});
    const Answer unknown = gateway->ask("POST", "/v1/jobs", R"({"queue":"q","type":"t"})");
    EXPECT_EQ(unknown.status, 500);
    EXPECT_EQ(unknown.json()["reason"], "COMMIT_UNKNOWN");
    EXPECT_EQ(unknown.header("retry-after"), "");

    fail_with({Code::internal, "relation jobs: secret", "", {}});
    const Answer internal = gateway->ask("GET", "/v1/jobs/x");
    EXPECT_EQ(internal.status, 500);
    EXPECT_EQ(internal.body.find("secret"), std::string::npos);

    const Answer taken = gateway->ask("POST", "/v1/orders", R"({"number":"taken"})");
    EXPECT_EQ(taken.status, 409);
    EXPECT_EQ(taken.json()["resource"]["id"], "order-0");
}

TEST_F(Rest, CarriesLargeAnswersAndBodies) {
    const Answer large = gateway->ask("GET", "/v1/jobs/large");
    ASSERT_EQ(large.status, 200);
    EXPECT_EQ(large.json()["result"].get<std::string>().size(), 1398104U);
    const std::string payload = base64_encode(std::string(1024 * 1024, '\1'));
    EXPECT_EQ(
        gateway->ask("POST", "/v1/jobs", R"({"queue":"q","type":"t","payload":")" + payload + "\"}")
            .status,
        202);
    EXPECT_EQ(script.last_enqueue.payload().size(), 1024U * 1024);
}

TEST_F(Rest, CountsRequestsByRouteAndStatus) {
    EXPECT_EQ(gateway->ask("GET", "/v1/jobs/secret-id").status, 200);
    EXPECT_EQ(gateway->ask("GET", "/nowhere/secret-id").status, 404);
    const std::string text = gateway->process().metrics.text();
    EXPECT_NE(text.find(R"(gantry_http_requests_total{code="200",route="GET /v1/jobs/{id}"} 1)"),
              std::string::npos);
    EXPECT_NE(text.find(R"(gantry_http_requests_total{code="404",route="none"} 1)"),
              std::string::npos);
    EXPECT_EQ(text.find("secret-id"), std::string::npos);
}

TEST_F(Rest, ShowsAllServicesAtAGlance) {
    ASSERT_TRUE(eventually([&] {
        return gateway->ask("GET", "/health").json()["services"]["queue-worker"]["status"] ==
               "healthy";
    }));
    const Answer health = gateway->ask("GET", "/health");
    EXPECT_EQ(health.status, 200);
    EXPECT_EQ(health.json()["status"], "degraded");
    EXPECT_EQ(health.json()["services"].size(), 5U);
    EXPECT_EQ(health.json()["services"]["scheduler"]["status"], "unreachable");
    EXPECT_EQ(gateway->ask("POST", "/health").status, 405);
}

}  // namespace
}  // namespace gantry::testing
