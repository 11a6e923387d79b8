#pragma once

#include "socket.hpp"

#include "gantry/health/heartbeat.hpp"
#include "gantry/hosting/tcp_server.hpp"

#include <memory>
#include <string>

namespace gantry::hosting {

/// What the connections of one server share. Outlives them.
struct TcpShared {
    PollableEvent draining;  ///< The server stops.
    PollableEvent cut;       ///< The stop is out of time.
    milliseconds io_limit{0};
    metrics::Counter* received = nullptr;
    metrics::Counter* sent = nullptr;
};

/// A connection on a socket that does not block.
class SocketConnection final : public TcpConnection {
public:
    /// The heartbeat rests while the connection waits for its peer.
    SocketConnection(Descriptor socket, std::string peer, const TcpShared& shared,
                     std::shared_ptr<health::Heartbeat> heartbeat, Deadline deadline)
        : socket_(std::move(socket)),
          peer_(std::move(peer)),
          shared_(shared),
          heartbeat_(std::move(heartbeat)),
          deadline_(deadline) {}

    Result<void> wait_for_data(Deadline deadline) override;
    Result<std::size_t> read_some(std::span<std::byte> into, Deadline deadline) override;
    Result<void> write_all(std::string_view bytes, Deadline deadline) override;
    [[nodiscard]] const std::string& peer() const override { return peer_; }

    /// Says that nothing more comes, and throws away what the peer has sent unasked, so that it
    /// gets what was written before the connection is closed.
    void finish();

private:
    Result<void> wait(short events, Deadline deadline, bool ends_with_drain);

    // Constant after construction.
    Descriptor socket_;
    std::string peer_;
    const TcpShared& shared_;
    std::shared_ptr<health::Heartbeat> heartbeat_;
    Deadline deadline_;
};

}  // namespace gantry::hosting
