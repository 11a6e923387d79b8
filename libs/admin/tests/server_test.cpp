// The admin port over real sockets on the loopback interface.

#include "gantry/admin/server.hpp"

#include "../src/listener.hpp"
#include "gantry/logging/log.hpp"
#include "rig.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

namespace gantry::admin {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kLivez = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

/// One connection.
class Client {
public:
    explicit Client(const std::string& address)
        : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port =
            htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    }
    ~Client() { close(socket_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void send(const std::string& text) const {
        EXPECT_EQ(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    /// The same to a server that may have hung up.
    void send_if_open(const std::string& text) const {
        (void)::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
    }
    /// Reads until `text` has come out or the server hangs up.
    std::string read_until(const std::string& text) const {
        std::string got;
        while (got.find(text) == std::string::npos) {
            char buffer[4096];
            const ssize_t size = recv(socket_, buffer, sizeof buffer, 0);
            if (size <= 0) {
                break;
            }
            got.append(buffer, static_cast<std::size_t>(size));
        }
        return got;
    }
    /// Reads until the server hangs up.
    [[nodiscard]] std::string read_to_end() const { return read_until("\xff never sent"); }
    /// Sends a request and reads the answer.
    [[nodiscard]] std::string livez() const {
        send(kLivez);
        return read_until("alive\n");
    }

private:
    int socket_;
};

class ServerTest : public testing::Test {
protected:
    ~ServerTest() override {
        if (listener_) {
            EXPECT_TRUE(listener_->stop(Deadline::after(5s, rig_.clock)));
        }
    }
    void start(Limits limits = {}) {
        listener_.emplace("127.0.0.1:0", rig_.context, limits);
        ASSERT_TRUE(listener_->start());
    }
    [[nodiscard]] std::string address() const { return listener_->address(); }
    // Sends `text` on a new connection and reads until `until` or the end.
    std::string talk(const std::string& text, const std::string& until = "\r\n\r\n") {
        const Client client(address());
        client.send(text);
        return client.read_until(until);
    }

    Rig rig_;
    std::optional<Listener> listener_;
};

TEST_F(ServerTest, AnswersSeveralRequestsOnOneConnection) {
    start();
    const Client client(address());
    EXPECT_THAT(client.livez(), StartsWith("HTTP/1.1 200"));
    client.send(kLivez + kLivez);
    EXPECT_THAT(client.read_until("alive\n"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(client.livez(), HasSubstr("alive"));
}

TEST_F(ServerTest, HeadHasALengthAndNoBody) {
    start();
    const auto got = talk("HEAD /livez HTTP/1.0\r\n\r\n", "\xff");
    EXPECT_THAT(got, HasSubstr("Content-Length: 6"));
    EXPECT_TRUE(got.ends_with("\r\n\r\n")) << got;
}

TEST_F(ServerTest, RefusesWhatIsTooLargeOrMalformed) {
    start();
    EXPECT_THAT(talk("GET / HTTP/1.1\r\nX: " + std::string(10'000, 'a') + "\r\n\r\n"),
                StartsWith("HTTP/1.1 431"));
    EXPECT_THAT(talk("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n"),
                StartsWith("HTTP/1.1 413"));
    EXPECT_THAT(talk("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
    EXPECT_THAT(talk("PUT /health HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("Allow: GET, HEAD"));
}

TEST_F(ServerTest, HeadIsGetWithoutTheBody) {
    start();
    rig_.start();
    for (const std::string page : {"/livez", "/readyz", "/startupz", "/version", "/nothing"}) {
        const auto got = talk("GET " + page + " HTTP/1.1\r\nConnection: close\r\n\r\n", "\xff");
        const auto head = talk("HEAD " + page + " HTTP/1.1\r\nConnection: close\r\n\r\n", "\xff");
        EXPECT_EQ(head, got.substr(0, got.find("\r\n\r\n") + 4)) << page;
        EXPECT_GT(got.size(), head.size()) << page;
    }
}

TEST_F(ServerTest, OtherMethodsAreRefusedAndTheConnectionStays) {
    start();
    const Client client(address());
    for (const std::string method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
        for (const std::string page : {"/livez", "/metrics", "/health", "/version"}) {
            client.send(method + " " + page +
                        " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
            EXPECT_THAT(client.read_until("use GET\n"),
                        AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: GET, HEAD\r\n")));
        }
    }
    EXPECT_THAT(client.livez(), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, ClosesWhereThePeerAsksForIt) {
    start();
    EXPECT_THAT(talk("GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n", "\xff"),
                AllOf(HasSubstr("Connection: close"), HasSubstr("alive")));
    EXPECT_THAT(talk("GET /livez HTTP/1.0\r\n\r\n", "\xff"), HasSubstr("alive"));
}

TEST_F(ServerTest, APeerThatGoesOnSendingStillGetsItsRefusal) {
    start();
    const std::string much(100'000, 'x');
    EXPECT_THAT(
        talk("POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + much, "\xff"),
        StartsWith("HTTP/1.1 413"));
    EXPECT_THAT(talk("GET / HTTP/1.1\r\nX: " + much + "\r\n\r\n", "\xff"),
                StartsWith("HTTP/1.1 431"));
    EXPECT_THAT(
        talk("POST /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n" + much, "\xff"),
        StartsWith("HTTP/1.1 413"));
}

TEST_F(ServerTest, APeerThatDoesNotReadIsCutOff) {
    start({.connections = 1, .request = 200ms});
    for (int i = 0; i < 20'000; ++i) {
        rig_.metrics.counter("gantry_test_total", "For a large page.", {{"n", std::to_string(i)}});
    }
    const Client deaf(address());
    for (int i = 0; i < 10; ++i) {
        deaf.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    // It has the only place until it is cut off.
    std::string answer;
    while (answer.empty()) {
        const Client next(address());
        next.send_if_open(kLivez);
        answer = next.read_until("alive\n");
    }
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, ABodyThatDoesNotComeIsNotWaitedForLong) {
    start({.request = 100ms});
    EXPECT_EQ(talk("POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", "\xff"),
              "");
}

TEST_F(ServerTest, AnswersWhileChecksAndLoopsAreStuck) {
    std::stop_source release;
    const auto hang = [&] {
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any().wait(lock, release.get_token(), [] { return false; });
    };
    ASSERT_TRUE(rig_.health.add({.name = "stuck",
                                 .run =
                                     [&](std::stop_token) {
                                         hang();
                                         return health::CheckResult{};
                                     },
                                 .readiness = true}));
    rig_.health.on_ready_change([&](bool) { hang(); });
    rig_.health.start();
    std::jthread reporting([&] {
        auto& store = rig_.health.reporter("store", true);
        store.report(health::Status::healthy);
        store.report(health::Status::unhealthy);
    });
    start();
    rig_.start();
    for (const std::string page : {"/livez", "/readyz", "/startupz", "/health", "/metrics"}) {
        EXPECT_THAT(talk("GET " + page + " HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 "))
            << page;
    }
    release.request_stop();
    rig_.health.stop();
}

TEST_F(ServerTest, APageThatThrowsCostsItsRequestOnly) {
    start();
    rig_.metrics.on_scrape([] { throw std::runtime_error("DOE^JANE"); });
    logging::Capture log;
    EXPECT_THAT(talk("GET /metrics?x=DOE HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 500"));
    EXPECT_THAT(talk(kLivez), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(log.text(), AllOf(HasSubstr("\"page\":\"/metrics\""), Not(HasSubstr("DOE"))));
}

TEST_F(ServerTest, TheOldestIdleConnectionMakesRoomAtTheCap) {
    start({.connections = 2});
    const Client oldest(address());
    const Client second(address());
    EXPECT_THAT(oldest.livez(), HasSubstr("alive"));
    EXPECT_THAT(second.livez(), HasSubstr("alive"));
    const Client third(address());
    EXPECT_THAT(third.livez(), HasSubstr("alive"));
    EXPECT_EQ(oldest.read_to_end(), "");
    EXPECT_THAT(second.livez(), HasSubstr("alive"));
}

TEST_F(ServerTest, BusyConnectionsAreNotCutForNewOnes) {
    start({.connections = 2});
    const Client first(address());
    const Client second(address());
    for (const Client* client : {&first, &second}) {
        // With the answer to the first request, the server has the beginning of the next.
        client->send(kLivez + kLivez.substr(0, 10));
        EXPECT_THAT(client->read_until("alive\n"), StartsWith("HTTP/1.1 200"));
    }
    const Client refused(address());
    EXPECT_EQ(refused.read_to_end(), "");
    for (const Client* client : {&first, &second}) {
        client->send(kLivez.substr(10));
        EXPECT_THAT(client->read_until("alive\n"), StartsWith("HTTP/1.1 200"));
    }
}

TEST_F(ServerTest, SlowAndSilentClientsAreCutOff) {
    start({.request = 200ms});
    const Client silent(address());
    const Client slow(address());
    slow.send("GET /livez HT");
    EXPECT_EQ(silent.read_to_end(), "");
    EXPECT_EQ(slow.read_to_end(), "");
}

TEST_F(ServerTest, AConnectionThatStaysIdleIsClosed) {
    start({.idle = 30ms});
    const Client client(address());
    EXPECT_THAT(client.livez(), HasSubstr("alive"));
    EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(ServerTest, AStopDoesNotWaitForARequestThatNeverComes) {
    start();
    const Client idle(address());
    const Client slow(address());
    slow.send(kLivez + "GET");
    EXPECT_THAT(slow.read_until("alive\n"), StartsWith("HTTP/1.1 200"));
    // With this answer, the server has gone on to the other connection's next request.
    EXPECT_THAT(idle.livez(), HasSubstr("alive"));
    std::jthread stopper([this] { EXPECT_TRUE(listener_->stop(Deadline::after(5s, rig_.clock))); });
    EXPECT_EQ(idle.read_to_end(), "");
    rig_.clock.wait_for_sleepers(1);
    rig_.clock.advance(1s);
    stopper.join();
    listener_.reset();
    EXPECT_EQ(slow.read_to_end(), "");
}

TEST_F(ServerTest, IsStoppedAndDestroyedWithoutAStart) {
    listener_.emplace("127.0.0.1:0", rig_.context, Limits{});
}

TEST_F(ServerTest, TwoCannotShareAPort) {
    Server server(Options{.listen = "127.0.0.1:0"}, rig_.context);
    ASSERT_TRUE(server.start({}));
    Server other(Options{.listen = server.address()}, rig_.context);
    EXPECT_FALSE(other.start({}));
    EXPECT_THAT(Client(server.address()).livez(), StartsWith("HTTP/1.1 200"));
    EXPECT_TRUE(server.stop(Deadline::after(5s, rig_.clock)));
}

}  // namespace
}  // namespace gantry::admin
