#include "gateway_fixture.hpp"

#include <gmock/gmock.h>

#include <string>

namespace gantry::testing {
namespace {

using ::testing::HasSubstr;

struct Bad {
    std::string method;
    std::string target;
    std::string body;
    std::string fields;
    int status;
    std::string names;  ///< The answer's body must hold it.
};

class BadRequest : public ::testing::TestWithParam<Bad> {
protected:
    // One gateway for all rows: none of them may reach the service.
    static void SetUpTestSuite() {
        script = new Script;
        backend = new FakeBackend(*script);
        gateway::Options options;
        options.backends.queue_worker = backend->address();
        options.backends.outbox_relay = options.backends.scheduler =
            options.backends.mllp_listener = "127.0.0.1:1";
        gateway = new Gateway(options);
    }
    static void TearDownTestSuite() {
        EXPECT_EQ(script->calls, 0);
        delete gateway;
        delete backend;
        delete script;
    }
    static inline Script* script = nullptr;
    static inline FakeBackend* backend = nullptr;
    static inline Gateway* gateway = nullptr;
};

TEST_P(BadRequest, GetsAProblemThatNamesTheFault) {
    const Bad& bad = GetParam();
    const Answer answer = gateway->ask(bad.method, bad.target, bad.body, bad.fields);
    EXPECT_EQ(answer.status, bad.status) << answer.body;
    EXPECT_EQ(answer.header("content-type"), "application/problem+json");
    EXPECT_THAT(answer.body, HasSubstr(bad.names));
    EXPECT_EQ(answer.json()["status"], bad.status);
    EXPECT_FALSE(answer.json()["code"].get<std::string>().empty());
    EXPECT_FALSE(answer.json()["reason"].get<std::string>().empty() && bad.status != 400);
}

Bad job(std::string body, std::string names) {
    return {"POST", "/v1/jobs", std::move(body), {}, 400, std::move(names)};
}
Bad order(std::string body, std::string names) {
    return {"POST", "/v1/orders", std::move(body), {}, 400, std::move(names)};
}
Bad get(std::string target, int status, std::string names) {
    return {"GET", std::move(target), {}, {}, status, std::move(names)};
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadRequest,
    ::testing::Values(
        job("{", "ends too early"), job("nonsense", "is not JSON"), job("[]", "must be an object"),
        job("\"x\"", "must be an object"), job(R"({"queue":"q",})", "line 1, column"),
        job(R"({"queue":"q"}{})", "goes on after its value"),
        job(R"({"queeu":"q"})", "the nearest is queue"),
        job(R"({"queue":5})", "\"field\":\"queue\""),
        job(R"({"queue":"q","queue":"r"})", "stands here twice"),
        job(R"({"payload":"%%"})", "must be a base64 string"),
        job(R"({"payload":{"a":1}})", "\"field\":\"payload\""),
        job(R"({"maxAttempts":"many"})", "must be an integer from"),
        job(R"({"maxAttempts":1.5})", "\"field\":\"maxAttempts\""),
        job(R"({"maxAttempts":99999999999})", "\"field\":\"maxAttempts\""),
        job(R"({"runAt":"tomorrow"})", "must be an RFC 3339 time"),
        job(R"({"runAt":1769824800})", "\"field\":\"runAt\""),
        job(R"({"timeout":"5 minutes"})", "ends in s"),
        job(R"({"queue":"\ud800"})", "half of a surrogate pair"),
        job("{\"queue\":\"\xc3\x28\"}", "is not UTF-8"),
        job(R"({"queue":"a\u0000"})", "without U+0000"),
        job(std::string(100'000, '['), "nested deeper"),
        job(R"({"state":"DEAD"})", "\"field\":\"state\""),
        order(R"({"items":{}})", "\"field\":\"items\",\"description\":\"must be an array\""),
        order(R"({"items":[{"code":"A","quantity":"two"}]})", "items[0].quantity"),
        order(R"({"items":[{"code":"A"},{"kode":"B"}]})", "items[1].kode"),
        order(R"({"items":[null]})", "items[0]"), order(R"({"id":"mine"})", "\"field\":\"id\""),
        Bad{"POST", "/v1/orders/7/process", R"({"id":"8"})", {}, 400, "is set by the path"},
        Bad{"POST", "/v1/jobs?queue=q", R"({"type":"t"})", {}, 400, "is not taken here"},
        Bad{"GET", "/v1/jobs/7", "{}", {}, 400, "takes no body"},
        get("/v1/jobs?queue=a&queue=b", 400, "stands here twice"),
        get("/v1/jobs?color=red", 400, "\"field\":\"color\""),
        get("/v1/jobs?pageSize=ten", 400, "\"field\":\"pageSize\""),
        get("/v1/jobs?state=LOST", 400, "SCHEDULED, QUEUED"),
        get("/v1/jobs?queue=%f", 400, "two hexadecimal digits"), get("/v1/jobs/%ff", 400, "UTF-8"),
        get("/", 404, "NO_SUCH_PATH"), get("/v2/jobs", 404, "NO_SUCH_PATH"),
        get("/v1/jobs/", 404, "NO_SUCH_PATH"), get("/v1/jobs/7/8", 404, "NO_SUCH_PATH"),
        get("/V1/jobs", 404, "NO_SUCH_PATH"),
        Bad{"DELETE", "/v1/jobs", {}, {}, 405, "GET, HEAD, POST, OPTIONS"},
        Bad{"PUT", "/v1/orders/7/process", {}, {}, 405, "POST, OPTIONS"},
        Bad{"BREW", "/v1/jobs/7", {}, {}, 405, "GET, HEAD, OPTIONS"},
        Bad{"GET", "/v1/jobs/7", {}, "Accept: text/html\r\n", 406, "application/json"},
        Bad{"GET", "/v1/jobs/7", {}, "Accept: application/json;q=0\r\n", 406, "NOT_ACCEPTABLE"},
        Bad{"POST", "/v1/jobs", "a=b", "Content-Type: application/x-www-form-urlencoded\r\n", 415,
            "application/json"},
        Bad{"POST", "/v1/jobs", "{}", "Content-Type: application/json; charset=latin1\r\n", 415,
            "UTF-8"},
        Bad{"POST", "/v1/jobs", "{}", "Content-Encoding: gzip\r\n", 415, "identity"},
        Bad{"POST", "/v1/jobs", "{\"requestId\":\"a\"}", "Idempotency-Key: b\r\n", 400,
            "\"field\":\"requestId\""}));

}  // namespace
}  // namespace gantry::testing
