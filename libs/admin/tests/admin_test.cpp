#include "gantry/admin/server.hpp"

#include "../src/pages.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

namespace gantry::admin {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

struct Rig {
    FakeClock clock;
    metrics::Registry metrics;
    health::Registry health{clock};
    health::Watchdog watchdog{clock, {}};
    hosting::Lifetime lifetime;
    hosting::Context context{"relay", "1.2.3", clock, metrics, health, watchdog, lifetime};

    Answer get(std::string_view target) { return answer(context, "GET", target); }
    void start() {
        lifetime.enter(hosting::Phase::starting);
        lifetime.enter(hosting::Phase::started);
    }
};

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
    rig.lifetime.set_service({"relay", 2});
    const auto page = rig.get("/health");
    EXPECT_EQ(page.status, 200);
    const auto body = nlohmann::json::parse(page.body);
    EXPECT_EQ(body["status"], "degraded");
    EXPECT_EQ(body["ready"], true);
    EXPECT_EQ(body["checks"][0]["name"], "kafka");
    EXPECT_EQ(body["services"][0]["name"], "relay");
    EXPECT_EQ(body["services"][0]["restarts"], 2);
    EXPECT_EQ(body["services"][0]["detail"], "restarting");
}

TEST(Pages, WrongMethodAndPathAreRefused) {
    Rig rig;
    EXPECT_EQ(answer(rig.context, "POST", "/health").status, 405);
    EXPECT_EQ(answer(rig.context, "POST", "/health").allow, "GET, HEAD");
    EXPECT_EQ(rig.get("/nothing").status, 404);
    EXPECT_EQ(rig.get("/metrics").content_type, "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_THAT(rig.get("/version").body, HasSubstr("1.2.3"));
}

class ServerTest : public testing::Test {
protected:
    ServerTest() {
        EXPECT_TRUE(server_.start({}));
        const std::string address = server_.address();
        port_ = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    }
    ~ServerTest() override { EXPECT_TRUE(server_.stop(Deadline::after(5s, rig_.clock))); }

    // Sends `text` on a new connection and reads until `count` responses or the end have come.
    std::string talk(const std::string& text, int count = 1) {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port_);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
        EXPECT_EQ(send(socket, text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
        std::string got;
        char buffer[4096];
        const auto responses = [&] {
            int found = 0;
            for (std::size_t at = 0; (at = got.find("\r\n\r\n", at)) != std::string::npos; ++at) {
                ++found;
            }
            return found;
        };
        while (responses() < count) {
            const ssize_t size = recv(socket, buffer, sizeof buffer, 0);
            if (size <= 0) {
                break;
            }
            got.append(buffer, static_cast<std::size_t>(size));
        }
        close(socket);
        return got;
    }

    Rig rig_;
    Server server_{Options{.listen = "127.0.0.1:0"}, rig_.context};
    std::uint16_t port_ = 0;
};

TEST_F(ServerTest, AnswersSeveralRequestsOnOneConnection) {
    const std::string request = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    EXPECT_THAT(talk(request + request, 2), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("alive")));
}

TEST_F(ServerTest, HeadHasALengthAndNoBody) {
    const auto got = talk("HEAD /livez HTTP/1.0\r\n\r\n");
    EXPECT_THAT(got, HasSubstr("Content-Length: 6"));
    EXPECT_TRUE(got.ends_with("\r\n\r\n")) << got;
}

TEST_F(ServerTest, RefusesWhatIsTooLargeOrMalformed) {
    EXPECT_THAT(talk("GET / HTTP/1.1\r\nX: " + std::string(10'000, 'a') + "\r\n\r\n"),
                StartsWith("HTTP/1.1 431"));
    EXPECT_THAT(talk("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n"),
                StartsWith("HTTP/1.1 413"));
    EXPECT_THAT(talk("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
    EXPECT_THAT(talk("PUT /health HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("Allow: GET, HEAD"));
}

TEST_F(ServerTest, TwoCannotShareAPort) {
    Server other(Options{.listen = server_.address()}, rig_.context);
    EXPECT_FALSE(other.start({}));
}

}  // namespace
}  // namespace gantry::admin
