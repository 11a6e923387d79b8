#include "tcp_connection.hpp"

#include <poll.h>
#include <array>
#include <cerrno>

namespace gantry::hosting {
namespace {

bool would_block(int number) {
    return number == EAGAIN || number == EWOULDBLOCK;
}

}  // namespace

Result<void> SocketConnection::wait(short events, Deadline deadline, bool ends_with_drain) {
    const Deadline until = Deadline::after(shared_.io_limit).earlier(deadline).earlier(deadline_);
    // A peer may be silent for long; that is no stalled thread.
    heartbeat_->pause();
    const Ready ready =
        ends_with_drain
            ? wait_ready(socket_.get(), events,
                         {shared_.draining.descriptor(), shared_.cut.descriptor()}, until.at())
            : wait_ready(socket_.get(), events, {shared_.cut.descriptor()}, until.at());
    heartbeat_->beat();
    switch (ready) {
        case Ready::descriptor:
            return {};
        case Ready::end:
            return fail(Code::cancelled, "the server stops");
        case Ready::timeout:
            break;
    }
    return fail(Code::deadline_exceeded, "the peer took longer than allowed");
}

Result<void> SocketConnection::wait_for_data(Deadline deadline) {
    return wait(POLLIN, deadline, true);
}

Result<std::size_t> SocketConnection::read_some(std::span<std::byte> into, Deadline deadline) {
    while (true) {
        const ssize_t count = recv(socket_.get(), into.data(), into.size(), 0);
        if (count >= 0) {
            shared_.received->increment(static_cast<double>(count));
            return static_cast<std::size_t>(count);
        }
        if (would_block(errno)) {
            TRY(wait(POLLIN, deadline, false));
        } else if (errno != EINTR) {
            return system_failure(Code::unavailable, "the connection was lost", errno);
        }
    }
}

Result<void> SocketConnection::write_all(std::string_view bytes, Deadline deadline) {
    while (!bytes.empty()) {
        const ssize_t count = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count >= 0) {
            shared_.sent->increment(static_cast<double>(count));
            bytes.remove_prefix(static_cast<std::size_t>(count));
        } else if (would_block(errno)) {
            TRY(wait(POLLOUT, deadline, false));
        } else if (errno != EINTR) {
            return system_failure(Code::unavailable, "the connection was lost", errno);
        }
    }
    return {};
}

void SocketConnection::finish() {
    shutdown(socket_.get(), SHUT_WR);
    std::array<std::byte, 4096> unasked;
    constexpr int kMostReads = 16;
    for (int i = 0; i < kMostReads; ++i) {
        if (recv(socket_.get(), unasked.data(), unasked.size(), MSG_DONTWAIT) <= 0) {
            return;
        }
    }
}

}  // namespace gantry::hosting
