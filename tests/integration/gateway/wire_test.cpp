#include "gateway_fixture.hpp"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace gantry::testing {
namespace {

using namespace std::chrono_literals;

class Wire : public GatewayTest {
protected:
    // What comes back for raw bytes on a new connection.
    Answer send(std::string_view bytes) {
        RawClient client(gateway->http());
        client.send(bytes);
        Answer answer = client.read();
        if (answer.status >= 400) {
            EXPECT_TRUE(client.closed()) << "what follows a malformed request is never read";
        }
        return answer;
    }
};

TEST_F(Wire, RefusesWhatCouldSmuggleARequestAndCloses) {
    start();
    const std::string smuggled = "GET /v1/jobs/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    const std::string head =
        "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    const std::vector<std::string> attacks = {
        head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
        head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + smuggled,
        head + "Content-Length: 0\r\nContent-Length: 40\r\n\r\n" + smuggled,
        head + "Content-Length: 0, 40\r\n\r\n" + smuggled,
        head + "Transfer-Encoding: gzip\r\n\r\n" + smuggled,
        head + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + smuggled,
        head + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + smuggled,
        head + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled,
        head + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + smuggled,
        head + "X: a\nContent-Length: 40\r\n\r\n" + smuggled,
        head + "X: a\rContent-Length: 40\r\n\r\n" + smuggled,
        head + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n" + smuggled,
        head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n" + smuggled,
        head + "Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n" + smuggled,
        head + "Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n" + smuggled,
        head + "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n" + smuggled,
        "GET /v1/jobs/a HTTP/1.1\r\nHost: x\r\nX: a\r\n folded: b\r\n\r\n" + smuggled,
        "GET /v1/jobs/a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + smuggled,
        "GET /v1/jobs/a HTTP/1.1\r\n\r\n" + smuggled,
        "GET /v1/jobs/a\r\n\r\n" + smuggled,
    };
    for (const std::string& attack : attacks) {
        const Answer answer = send(attack);
        EXPECT_EQ(answer.status, 400) << attack;
        EXPECT_EQ(answer.header("connection"), "close");
        EXPECT_EQ(answer.header("content-type"), "application/problem+json");
    }
    EXPECT_EQ(script.calls, 0);
}

TEST_F(Wire, AnswersPipelinedRequestsInTheirOrder) {
    start();
    RawClient client(gateway->http());
    std::string all;
    for (int i = 0; i < 200; ++i) {
        all += request("GET", "/v1/jobs/" + std::to_string(i));
        all += request("GET", "/nowhere");
    }
    ASSERT_TRUE(client.send(all));
    for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(client.read().json()["id"], std::to_string(i));
        EXPECT_EQ(client.read().status, 404);
    }
}

TEST_F(Wire, KeepsConnectionsAndEndsThemWhenAsked) {
    start();
    RawClient client(gateway->http());
    for (int i = 0; i < 3; ++i) {
        client.send("\r\n" + request("GET", "/v1/jobs/a"));
        EXPECT_EQ(client.read().status, 200);
    }
    client.send(request("GET", "/v1/jobs/a", {}, "Connection: close\r\n"));
    EXPECT_EQ(client.read().header("connection"), "close");
    EXPECT_TRUE(client.closed());
    RawClient old(gateway->http());
    old.send("GET /v1/jobs/a HTTP/1.0\r\n\r\n");
    EXPECT_EQ(old.read().status, 200);
    EXPECT_TRUE(old.closed());
}

TEST_F(Wire, EndsAConnectionThatSendsNothingButEmptyLines) {
    gateway::Options settings = options();
    settings.http.header_timeout = 300ms;
    start(settings);
    RawClient client(gateway->http());
    const auto before = std::chrono::steady_clock::now();
    while (client.send("\r\n") && std::chrono::steady_clock::now() - before < 5s) {
        std::this_thread::sleep_for(50ms);  // the slowness is what is tested
    }
    EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
}

TEST_F(Wire, ReadsChunkedBodiesAndThoseThatWaitForLeave) {
    start();
    RawClient client(gateway->http());
    const std::string head =
        "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    client.send(
        head +
        "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n16;x=y\r\n\"queue\":\"q\",\"type\":\"t\"\r\n");
    client.send("1\r\n}\r\n0\r\nTrailer: x\r\n\r\n" + request("GET", "/v1/jobs/next"));
    EXPECT_EQ(client.read().status, 202);
    EXPECT_EQ(client.read().json()["id"], "next");
    client.send(head + "Content-Length: 24\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(client.read().status, 100);
    client.send(R"({"queue":"q","type":"u"})");
    EXPECT_EQ(client.read().status, 202);
    EXPECT_EQ(script.last_enqueue.type(), "u");
}

TEST_F(Wire, RefusesWhatIsTooLarge) {
    gateway::Options settings = options();
    settings.http.max_body_size = {4096};
    settings.http.max_header_size = {2048};
    start(settings);
    EXPECT_EQ(
        send(request("GET", "/v1/jobs/a", {}, "X: " + std::string(3000, 'a') + "\r\n")).status,
        431);
    EXPECT_EQ(send("GET /v1/jobs/" + std::string(100'000, 'a')).status, 431);
    EXPECT_EQ(send(request("POST", "/v1/jobs", std::string(5000, ' '))).status, 413);
    EXPECT_EQ(
        send("POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n").status,
        413);
    EXPECT_EQ(
        send("POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n" +
             std::string(5000, ' '))
            .status,
        413);
    EXPECT_EQ(gateway->ask("POST", "/v1/jobs", "{\"queue\":\"q\"}" + std::string(1000, ' ')).status,
              202);
}

TEST_F(Wire, EndsRequestsThatArriveTooSlowly) {
    gateway::Options settings = options();
    settings.http.header_timeout = 300ms;
    settings.http.body_timeout = 300ms;
    settings.http.idle_timeout = 300ms;
    start(settings);
    RawClient head(gateway->http());
    RawClient body(gateway->http());
    RawClient drip(gateway->http());
    RawClient idle(gateway->http());
    RawClient silent(gateway->http());
    head.send("GET /v1/jobs/a HTTP/1.1\r\nHos");
    body.send("POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{");
    idle.send(request("GET", "/v1/jobs/a"));
    EXPECT_EQ(idle.read().status, 200);
    // A byte now and then does not buy time.
    const std::string slow = request("GET", "/v1/jobs/a");
    const auto begin = std::chrono::steady_clock::now();
    bool cut = false;
    for (std::size_t i = 0; i < slow.size() && !cut; ++i) {
        cut = !drip.send(slow.substr(i, 1));
        std::this_thread::sleep_for(20ms);
        cut = cut || std::chrono::steady_clock::now() - begin > 700ms;
    }
    EXPECT_EQ(drip.read().status, 408);
    EXPECT_EQ(head.read().status, 408);
    EXPECT_EQ(body.read().status, 408);
    EXPECT_TRUE(idle.closed());
    EXPECT_TRUE(silent.closed());
}

TEST_F(Wire, CancelsTheCallOfAClientThatLeft) {
    start();
    {
        RawClient client(gateway->http());
        client.send(request("POST", "/v1/jobs", R"({"queue":"q","type":"test.hang"})"));
        ASSERT_TRUE(eventually([&] { return script.waiting == 1; }));
    }
    EXPECT_TRUE(eventually([&] { return script.cancelled == 1 && script.waiting == 0; }));
}

TEST_F(Wire, AnswersACallThatTakesTooLong) {
    gateway::Options settings = options();
    settings.http.call_timeout = 200ms;
    start(settings);
    const Answer read = gateway->ask("GET", "/v1/jobs/hang");
    EXPECT_EQ(read.status, 504);
    EXPECT_EQ(read.json()["reason"], "BACKEND_TIMEOUT");
    const Answer write = gateway->ask("POST", "/v1/jobs", R"({"queue":"q","type":"test.hang"})");
    EXPECT_EQ(write.status, 504);
    EXPECT_EQ(write.json()["reason"], "OUTCOME_UNKNOWN");
    EXPECT_NE(write.body.find("same Idempotency-Key"), std::string::npos);
    EXPECT_TRUE(eventually([&] { return script.waiting == 0; }));
}

TEST_F(Wire, ShedsRequestsOverItsLimit) {
    gateway::Options settings = options();
    settings.http.max_in_flight = 2;
    start(settings);
    RawClient first(gateway->http());
    RawClient second(gateway->http());
    first.send(request("GET", "/v1/jobs/hang"));
    second.send(request("GET", "/v1/jobs/hang"));
    ASSERT_TRUE(eventually([&] { return script.waiting == 2; }));
    const Answer shed = gateway->ask("GET", "/v1/jobs/a");
    EXPECT_EQ(shed.status, 503);
    EXPECT_EQ(shed.header("retry-after"), "1");
    EXPECT_EQ(shed.json()["reason"], "OVERLOADED");
    EXPECT_EQ(gateway->ask("GET", "/nowhere").status, 404) << "what needs no service goes on";
    first.close();
    EXPECT_TRUE(eventually([&] { return gateway->ask("GET", "/v1/jobs/a").status == 200; }));
}

TEST_F(Wire, RefusesConnectionsOverItsLimit) {
    gateway::Options settings = options();
    settings.http.max_connections = 2;
    start(settings);
    RawClient first(gateway->http());
    RawClient second(gateway->http());
    for (RawClient* client : {&first, &second}) {
        client->send(request("GET", "/v1/jobs/a"));
        EXPECT_EQ(client->read().status, 200);
    }
    RawClient third(gateway->http());
    const Answer refused = third.read();
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.header("retry-after"), "1");
    EXPECT_TRUE(third.closed());
    first.close();
    EXPECT_TRUE(eventually([&] { return gateway->ask("GET", "/v1/jobs/a").status == 200; }));
}

TEST_F(Wire, LetsRequestsUnderWayFinishWhenItStops) {
    gateway::Options settings = options();
    settings.http.call_timeout = 500ms;
    start(settings);
    RawClient busy(gateway->http());
    RawClient idle(gateway->http());
    idle.send(request("GET", "/v1/jobs/a"));
    EXPECT_EQ(idle.read().status, 200);
    busy.send(request("GET", "/v1/jobs/hang"));
    ASSERT_TRUE(eventually([&] { return script.waiting == 1; }));
    EXPECT_TRUE(gateway->stop_http(5s));
    EXPECT_EQ(busy.read().status, 504);
    EXPECT_TRUE(idle.closed());
}

TEST_F(Wire, CancelsWhatDoesNotEndWhenItStops) {
    start();
    RawClient busy(gateway->http());
    busy.send(request("GET", "/v1/jobs/hang"));
    ASSERT_TRUE(eventually([&] { return script.waiting == 1; }));
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(gateway->stop_http(2s));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
    EXPECT_TRUE(busy.closed());
    EXPECT_TRUE(eventually([&] { return script.cancelled == 1; }));
}

}  // namespace
}  // namespace gantry::testing
