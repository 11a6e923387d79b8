// The TCP server over real sockets on the loopback interface.

#include "gantry/hosting/tcp_server.hpp"

#include "gantry/logging/log.hpp"
#include "rig.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

namespace gantry::hosting {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// One connection of a peer.
class Peer {
public:
    explicit Peer(const std::string& address)
        : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port =
            htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    }
    ~Peer() { close(socket_); }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    [[nodiscard]] bool connected() const { return connected_; }
    void send(std::string_view text) const {
        EXPECT_EQ(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    void finish() const { shutdown(socket_, SHUT_WR); }
    /// Reads until `text` has come or the server hangs up.
    [[nodiscard]] std::string read_until(std::string_view text) const {
        std::string got;
        std::array<char, 256> buffer{};
        while (got.find(text) == std::string::npos) {
            const ssize_t count = recv(socket_, buffer.data(), buffer.size(), 0);
            if (count <= 0) {
                break;
            }
            got.append(buffer.data(), static_cast<std::size_t>(count));
        }
        return got;
    }
    [[nodiscard]] std::string read_to_end() const { return read_until("\xff never sent"); }

private:
    int socket_;
    bool connected_ = false;
};

class TcpServerTest : public testing::Test {
protected:
    void start(TcpServer::Handler handler, TcpServer::Options options = {}) {
        rig_.lifetime.set_service({"lines"});
        server_.emplace("lines", rig_.context, std::move(options), std::move(handler));
        ASSERT_TRUE(server_->start({}));
    }
    // Answers each line with itself.
    static Result<void> echo(TcpConnection& connection, Scope&) {
        std::array<std::byte, 256> buffer{};
        while (true) {
            TRY(connection.wait_for_data());
            const std::size_t count = TRY(connection.read_some(buffer));
            if (count == 0) {
                return {};
            }
            TRY(connection.write_all({reinterpret_cast<const char*>(buffer.data()), count}));
        }
    }
    double ended(const std::string& outcome) {
        return rig_.metrics
            .counter("gantry_tcp_connections_total", "",
                     {{"server", "lines"}, {"outcome", outcome}})
            .value();
    }
    // Waits until as many connections have ended so.
    void wait_for(const std::string& outcome, double count) {
        while (ended(outcome) < count) {
            std::this_thread::yield();
        }
    }
    [[nodiscard]] Peer peer() const { return Peer(server_->address()); }
    Result<void> stop() { return server_->stop(Deadline::never()); }

    Rig rig_;
    Diary diary_;
    std::optional<TcpServer> server_;
};

TEST_F(TcpServerTest, ServesSeveralPeersAtTheSameTime) {
    std::latch all(3);
    start([&](TcpConnection& connection, Scope& scope) -> Result<void> {
        all.arrive_and_wait();
        EXPECT_THAT(connection.peer(), testing::StartsWith("127.0.0.1:"));
        return echo(connection, scope);
    });
    const Peer first = peer();
    const Peer second = peer();
    const Peer third = peer();
    for (const Peer* one : {&first, &second, &third}) {
        one->send("ping\n");
        EXPECT_EQ(one->read_until("\n"), "ping\n");
        one->finish();
        EXPECT_EQ(one->read_to_end(), "");
    }
    EXPECT_TRUE(stop());
    EXPECT_EQ(ended("success"), 3);
    EXPECT_THAT(rig_.metrics.text(),
                AllOf(HasSubstr("gantry_tcp_received_bytes_total{server=\"lines\"} 15"),
                      HasSubstr("gantry_tcp_connections{server=\"lines\"} 0")));
}

TEST_F(TcpServerTest, RefusesConnectionsBeyondTheCap) {
    start(echo, {.max_connections = 1});
    const Peer first = peer();
    first.send("a");
    EXPECT_EQ(first.read_until("a"), "a");
    EXPECT_EQ(peer().read_to_end(), "");
    first.send("b");
    EXPECT_EQ(first.read_until("b"), "b");
    EXPECT_EQ(ended("refused"), 1);
    EXPECT_TRUE(stop());
}

TEST_F(TcpServerTest, APlaceIsFreeAgainWhenAConnectionHasEnded) {
    start(echo, {.max_connections = 1});
    for (int i = 1; i <= 20; ++i) {
        const Peer one = peer();
        one.send("a");
        one.finish();
        EXPECT_EQ(one.read_to_end(), "a");
        wait_for("success", i);
        while (rig_.metrics.gauge("gantry_tcp_connections", "", {{"server", "lines"}}).value() >
               0) {
            std::this_thread::yield();
        }
    }
    EXPECT_TRUE(stop());
}

TEST_F(TcpServerTest, AFaultCostsItsConnectionOnlyAndIsLoggedWithoutContent) {
    logging::Capture log;
    start([](TcpConnection& connection, Scope& scope) -> Result<void> {
        std::array<std::byte, 1> first{};
        TRY(connection.read_some(first));
        if (first[0] == std::byte{'!'}) {
            throw std::runtime_error("DOE^JANE");
        }
        return echo(connection, scope);
    });
    const Peer bad = peer();
    bad.send("!");
    EXPECT_EQ(bad.read_to_end(), "");
    const Peer good = peer();
    good.send(".hello");
    EXPECT_EQ(good.read_until("hello"), "hello");
    // The peer may see its end before it is counted.
    EXPECT_TRUE(stop());
    EXPECT_EQ(ended("failure"), 1);
    EXPECT_EQ(rig_.lifetime.services().at(0).last_error, "EXCEPTION");
    EXPECT_THAT(log.text(), AllOf(HasSubstr("connection failed"), Not(HasSubstr("DOE"))));
}

TEST_F(TcpServerTest, SilentPeersRunIntoTheirLimits) {
    start(echo, {.io_limit = 20ms});
    EXPECT_EQ(peer().read_to_end(), "");
    server_.emplace("lines", rig_.context, TcpServer::Options{.connection_limit = 20ms}, echo);
    ASSERT_TRUE(server_->start({}));
    EXPECT_EQ(peer().read_to_end(), "");
    EXPECT_TRUE(stop());
    EXPECT_EQ(ended("failure"), 2);
    EXPECT_EQ(rig_.lifetime.services().at(0).last_error, "DEADLINE_EXCEEDED");
}

TEST_F(TcpServerTest, AStopEndsIdleConnectionsAtOnceAndTakesNoNewOnes) {
    start(echo);
    const Peer idle = peer();
    idle.send("a");
    EXPECT_EQ(idle.read_until("a"), "a");
    EXPECT_TRUE(stop());
    EXPECT_EQ(idle.read_to_end(), "");
    EXPECT_FALSE(peer().connected());
    EXPECT_EQ(ended("success"), 1);
    EXPECT_EQ(ended("cut"), 0);
}

TEST_F(TcpServerTest, ARequestUnderWayIsFinishedDuringTheStop) {
    start([this](TcpConnection& connection, Scope& scope) -> Result<void> {
        const std::stop_callback told(scope.stop(), [this] { diary_.add("told to stop"); });
        std::array<std::byte, 16> buffer{};
        std::string request;
        while (!request.ends_with('\n')) {
            const std::size_t count = TRY(connection.read_some(buffer));
            request.append(reinterpret_cast<const char*>(buffer.data()), count);
            diary_.add("read");
        }
        return connection.write_all(request);
    });
    const Peer slow = peer();
    slow.send("half");
    diary_.wait_for_count(1);
    std::jthread stopper([this] { EXPECT_TRUE(stop()); });
    diary_.wait_for_count(2);
    slow.send(" done\n");
    EXPECT_EQ(slow.read_to_end(), "half done\n");
    stopper.join();
    EXPECT_THAT(diary_.entries(), ElementsAre("read", "told to stop", "read"));
}

TEST_F(TcpServerTest, ConnectionsThatDoNotEndAreCutShortlyBeforeTheLimit) {
    start(
        [this](TcpConnection& connection, Scope&) -> Result<void> {
            diary_.add("serves");
            std::array<std::byte, 16> buffer{};
            while (true) {
                TRY(connection.read_some(buffer));
            }
        },
        {.cut_before = 1s});
    const Peer silent = peer();
    diary_.wait_for_count(1);
    std::jthread stopper([this] { EXPECT_TRUE(server_->stop(Deadline::after(10s, rig_.clock))); });
    rig_.clock.wait_for_sleepers(1);
    rig_.clock.advance(9s);
    stopper.join();
    EXPECT_EQ(silent.read_to_end(), "");
    EXPECT_EQ(ended("cut"), 1);
}

TEST_F(TcpServerTest, AHandlerThatDoesNotGiveUpFailsTheStop) {
    std::stop_source release;
    start([&](TcpConnection&, Scope&) -> Result<void> {
        diary_.add("serves");
        rig_.clock.sleep_for(10h, release.get_token());
        return {};
    });
    const Peer one = peer();
    diary_.wait_for_count(1);
    Result<void> stopped;
    std::jthread stopper([&] { stopped = server_->stop(Deadline::after(10s, rig_.clock)); });
    for (const auto step : {9s, 1s}) {
        rig_.clock.wait_for_sleepers(2);
        rig_.clock.advance(step);
    }
    stopper.join();
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, Code::deadline_exceeded);
    release.request_stop();
}

TEST_F(TcpServerTest, AStuckHandlerStallsAndAWaitingOneDoesNot) {
    std::stop_source release;
    start([&](TcpConnection& connection, Scope& scope) -> Result<void> {
        std::array<std::byte, 1> first{};
        TRY(connection.read_some(first));
        diary_.add("read");
        if (first[0] == std::byte{'!'}) {
            std::mutex mutex;
            std::unique_lock lock(mutex);
            std::condition_variable_any().wait(lock, release.get_token(), [] { return false; });
        }
        return echo(connection, scope);
    });
    const Peer waiting = peer();
    const Peer stuck = peer();
    waiting.send(".a");
    EXPECT_EQ(waiting.read_until("a"), "a");
    stuck.send("!");
    diary_.wait_for_count(2);
    rig_.clock.advance(31s);
    // Once a second has been served, the acceptor has beaten since.
    for (int i = 0; i < 2; ++i) {
        const Peer next = peer();
        next.send(".b");
        EXPECT_EQ(next.read_until("b"), "b");
    }
    rig_.watchdog.step();
    EXPECT_THAT(rig_.watchdog.stalled(), ElementsAre("lines"));
    release.request_stop();
    stuck.finish();
    EXPECT_EQ(stuck.read_to_end(), "");
    // The one that waits was never silent.
    rig_.watchdog.step();
    EXPECT_THAT(rig_.watchdog.stalled(), ElementsAre());
    EXPECT_TRUE(stop());
}

TEST_F(TcpServerTest, RefusesABadAddressAndATakenPort) {
    for (const std::string listen :
         {"nowhere", "localhost:port", "host.example:1", "::1:80", "[::1:80", "127.0.0.1:70000"}) {
        TcpServer server("bad", rig_.context, {.listen = listen}, echo);
        EXPECT_EQ(server.start({}).error().code, Code::invalid_argument) << listen;
    }
    start(echo);
    TcpServer second("second", rig_.context, {.listen = server_->address()}, echo);
    const auto started = second.start({});
    EXPECT_EQ(started.error().code, Code::unavailable);
    EXPECT_THAT(started.error().message, HasSubstr(server_->address()));
    EXPECT_TRUE(stop());
}

TEST_F(TcpServerTest, IsDestroyedWithoutAStopOrAStart) {
    start(echo);
    const Peer idle = peer();
    idle.send("a");
    EXPECT_EQ(idle.read_until("a"), "a");
    server_.reset();
    EXPECT_EQ(idle.read_to_end(), "");
    server_.emplace("never", rig_.context, TcpServer::Options{}, echo);
    EXPECT_TRUE(stop());
}

}  // namespace
}  // namespace gantry::hosting
