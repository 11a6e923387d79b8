#include "fixed_port.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

namespace {
// The dynamic linker lets this program's own bind() below stand before libc's, so the wish has to
// live where that function can reach it.
std::atomic<std::uint16_t> wanted_port{0};
}  // namespace

namespace gantry::embedded_kafka {

void listen_next_on(std::uint16_t port) {
    wanted_port = port;
}

}  // namespace gantry::embedded_kafka

extern "C" int bind(int socket, const struct sockaddr* address, socklen_t length) noexcept {
    sockaddr_storage copy{};
    if (length > sizeof copy)
        length = sizeof copy;
    std::memcpy(&copy, address, length);
    if (copy.ss_family == AF_INET && length >= sizeof(sockaddr_in)) {
        sockaddr_in inet{};
        std::memcpy(&inet, &copy, sizeof inet);
        if (inet.sin_port == 0 && inet.sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
            if (const auto port = wanted_port.exchange(0); port != 0) {
                const int on = 1;
                setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
                inet.sin_port = htons(port);
                std::memcpy(&copy, &inet, sizeof inet);
            }
        }
    }
    return static_cast<int>(syscall(SYS_bind, socket, &copy, length));
}
