#include "socket.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <system_error>

namespace gantry::hosting {

void Descriptor::reset() {
    if (number_ >= 0) {
        close(std::exchange(number_, -1));
    }
}

Result<void> PollableEvent::open() {
    event_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event_) {
        return system_failure(Code::resource_exhausted, "eventfd", errno);
    }
    return {};
}

void PollableEvent::set() const {
    const std::uint64_t one = 1;
    // It stays readable, since nobody reads it; a full counter is as readable.
    [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
}

Ready wait_ready(int descriptor, short events, std::initializer_list<int> ends, SteadyTime until) {
    constexpr std::size_t kMostEnds = 3;
    std::array<pollfd, kMostEnds + 1> polled{};
    nfds_t count = 0;
    polled[count++] = {descriptor, events, 0};
    for (const int end : ends) {
        polled[count++] = {end, POLLIN, 0};
    }
    while (true) {
        const auto left = until - std::chrono::steady_clock::now();
        const auto left_ms = std::chrono::ceil<milliseconds>(left).count();
        constexpr std::int64_t kLongest = 3'600'000;
        const int timeout = static_cast<int>(std::clamp<std::int64_t>(left_ms, 0, kLongest));
        const int found = poll(polled.data(), count, timeout);
        if (found > 0) {
            const bool ended = std::any_of(polled.begin() + 1, polled.begin() + count,
                                           [](const pollfd& end) { return end.revents != 0; });
            // What ends the wait counts more than what it was for.
            return ended ? Ready::end : Ready::descriptor;
        }
        if (std::chrono::steady_clock::now() >= until) {
            return Ready::timeout;
        }
    }
}

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
    const auto bad = [] {
        return fail(Code::invalid_argument,
                    "must be an address and a port such as 0.0.0.0:2575 or [::1]:0");
    };
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return bad();
    }
    std::string host(text.substr(0, colon));
    const std::string_view digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (problem != std::errc{} || end != digits.data() + digits.size()) {
        return bad();
    }
    SocketAddress address;
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
        auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        address.size = sizeof v6;
        if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) {
            return bad();
        }
        return address;
    }
    if (host == "localhost") {
        host = "127.0.0.1";
    }
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    address.size = sizeof v4;
    if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) != 1) {
        return bad();
    }
    return address;
}

const sockaddr* SocketAddress::get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
}

std::string SocketAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (storage.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
        inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
        return "[" + std::string(text.data()) + "]:" + std::to_string(ntohs(v6.sin6_port));
    }
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(ntohs(v4.sin_port));
}

Result<Descriptor> listen_on(const SocketAddress& address) {
    const auto failed = [&](std::string_view step) {
        return system_failure(Code::unavailable, address.to_string() + ": " + std::string(step),
                              errno);
    };
    Descriptor listener(
        socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
    if (!listener) {
        return failed("socket");
    }
    const int on = 1;
    setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener.get(), address.get(), address.size) != 0) {
        return failed("bind");
    }
    if (listen(listener.get(), SOMAXCONN) != 0) {
        return failed("listen");
    }
    return listener;
}

std::string bound_address(int descriptor) {
    SocketAddress bound;
    bound.size = sizeof bound.storage;
    getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size);
    return bound.to_string();
}

std::unexpected<Error> system_failure(Code code, std::string_view what, int number) {
    return fail(code, std::string(what) + ": " + std::generic_category().message(number));
}

}  // namespace gantry::hosting
