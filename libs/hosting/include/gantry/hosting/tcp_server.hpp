#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/hosted_service.hpp"
#include "gantry/hosting/scope.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace gantry::hosting {

/// One accepted connection, as its handler sees it. Used by the handler's thread only, and only
/// until the handler returns.
///
/// Each call takes at most the server's `io_limit`, the `deadline` given, and the scope's deadline.
/// Errors: `deadline_exceeded`; `cancelled` when the server's stop is out of time; `unavailable`
/// when the peer has gone.
class TcpConnection {
public:
    virtual ~TcpConnection() = default;

    /// Waits for the peer's next bytes, or for its end. To be called between two requests: it also
    /// ends, with `cancelled`, as soon as the server begins to stop, while `read_some` and
    /// `write_all` still work to finish a request.
    virtual Result<void> wait_for_data(Deadline deadline = Deadline::never()) = 0;

    /// Reads what is there, at least one byte. Zero: the peer sends no more.
    virtual Result<std::size_t> read_some(std::span<std::byte> into,
                                          Deadline deadline = Deadline::never()) = 0;

    virtual Result<void> write_all(std::string_view bytes,
                                   Deadline deadline = Deadline::never()) = 0;

    /// The peer's `ip:port`.
    [[nodiscard]] virtual const std::string& peer() const = 0;
};

/// Accepts TCP connections and runs a handler for each, on a thread of its own: for protocols with
/// tens or hundreds of peers that stay. It speaks no protocol itself.
///
/// Beyond `max_connections` a new connection is closed at once and counted. A handler that returns
/// success commits its scope; one that fails or throws costs its connection only, counted and
/// logged by code. A stop closes the port and fires the scopes' stop tokens, so that handlers
/// finish the request at hand; shortly before the stop's limit the connections are cut.
///
/// Metrics, with the label `server`: `gantry_tcp_connections`, `gantry_tcp_connections_total` by
/// `outcome` (success, failure, cut, refused), `gantry_tcp_connection_duration_seconds`,
/// `gantry_tcp_received_bytes_total`, `gantry_tcp_sent_bytes_total`.
class TcpServer final : public HostedService {
public:
    struct Options {
        std::string listen = "127.0.0.1:0";  ///< `host:port`; port 0 picks a free one and logs it.
        int max_connections = 128;
        /// For one wait, read or write.
        std::chrono::milliseconds io_limit{30'000};
        /// For a whole connection: its scope's deadline. Zero is no limit.
        std::chrono::milliseconds connection_limit{0};
        /// How long before the limit of a stop connections are cut; at most half of the time.
        std::chrono::milliseconds cut_before{1'000};
    };
    /// Called on several threads at once, once a connection; it is closed on return.
    using Handler = std::function<Result<void>(TcpConnection& connection, Scope& scope)>;

    TcpServer(std::string name, Context& context, Options options, Handler handler);
    ~TcpServer() override;

    /// `unavailable` with the address if it cannot be bound, `invalid_argument` if it is none.
    Result<void> start(std::stop_token aborted) override;
    /// `deadline_exceeded` if a handler goes on although its connection was cut.
    Result<void> stop(Deadline limit) override;
    void on_end(EndCallback callback) override;

    /// The bound address as `ip:port`, once started.
    [[nodiscard]] std::string address() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::hosting
