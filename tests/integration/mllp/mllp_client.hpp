#pragma once

#include "gantry/hl7/framing.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace gantry::mllp {

/// A sending system: one connection to an MLLP port. Not thread-safe.
class MllpClient {
public:
    static constexpr std::chrono::milliseconds kPatience{20'000};

    /// Connects to `ip:port`; throws if that fails.
    explicit MllpClient(const std::string& address)
        : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const auto colon = address.rfind(':');
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
        ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
        if (::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
            ::close(socket_);
            throw std::runtime_error("cannot connect to " + address);
        }
        const int on = 1;
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    ~MllpClient() { close(); }
    MllpClient(MllpClient&& other) noexcept
        : socket_(std::exchange(other.socket_, -1)), received_(std::move(other.received_)) {}
    MllpClient& operator=(MllpClient&&) = delete;

    /// False if the listener has closed.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return false;
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    bool send_message(std::string_view message) { return send(hl7::encode_frame(message)); }

    /// The payload of the next frame; nothing if the connection ends or `patience` does.
    std::optional<std::string> answer(std::chrono::milliseconds patience = kPatience) {
        const auto until = std::chrono::steady_clock::now() + patience;
        while (true) {
            const auto end = received_.find("\x1C\x0D");
            if (end != std::string::npos) {
                const auto start = received_.find('\x0B') + 1;
                auto payload = received_.substr(start, end - start);
                received_.erase(0, end + 2);
                return payload;
            }
            if (!receive(until)) {
                return std::nullopt;
            }
        }
    }

    /// True once the listener has closed its side, with nothing more to read.
    bool ended(std::chrono::milliseconds patience = kPatience) {
        const auto until = std::chrono::steady_clock::now() + patience;
        while (receive(until)) {
        }
        return ended_ && received_.empty();
    }

    /// Sends FIN; answers can still be read.
    void finish() { ::shutdown(socket_, SHUT_WR); }
    void close() {
        if (socket_ >= 0) {
            ::close(std::exchange(socket_, -1));
        }
    }
    /// Closes with RST.
    void reset() {
        const linger now{1, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }

private:
    bool receive(std::chrono::steady_clock::time_point until) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd ready{socket_, POLLIN, 0};
        if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) <= 0) {
            return false;
        }
        char buffer[4096];
        const auto size = ::recv(socket_, buffer, sizeof buffer, 0);
        if (size <= 0) {
            ended_ = true;
            return false;
        }
        received_.append(buffer, static_cast<std::size_t>(size));
        return true;
    }

    int socket_;
    std::string received_;
    bool ended_ = false;
};

}  // namespace gantry::mllp
