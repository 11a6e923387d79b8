#pragma once

#include "front.hpp"
#include "options.hpp"
#include "request_head.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

namespace gantry::gateway {

class HttpConnection;

/// What the connections of one I/O thread share. Used on that thread only, but for `io`.
struct HttpLoop {
    HttpLoop(Front& served_by, const HttpOptions& settings) : front(served_by), options(settings) {}

    boost::asio::io_context io{1};
    Front& front;
    const HttpOptions& options;
    std::array<char, 32 * 1024> scratch;  ///< Reads go through it, so idle connections hold none.
    std::unordered_set<std::shared_ptr<HttpConnection>> connections;
    std::function<void()> closed;  ///< Called when a connection has ended.
    bool draining = false;         ///< Answers carry `Connection: close` from now on.
};

/// One client connection: reads requests strictly, one at a time, pipelined ones in their order.
///
/// While a call is under way the socket is still read, so that a client that leaves is noticed and
/// its call cancelled. Every state has a deadline, which the loop's sweep enforces.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
public:
    HttpConnection(boost::asio::ip::tcp::socket socket, std::shared_ptr<HttpLoop> loop);

    void start();

    /// Answers 503 and closes: there are too many connections.
    void refuse();

    /// Ends the connection if its time is up. Called a few times a second.
    void sweep(SteadyTime now);

    /// Closes now if no request is under way, else after its answer.
    void drain();

    /// Closes at once and cancels what is under way.
    void abort();

private:
    enum class State { head, body, calling, writing, lingering, closed };
    enum class Step { again, wait };

    void enter(State state, std::chrono::milliseconds limit);
    void run();
    Step step();
    Step step_head();
    Step step_body();
    Step begin_body();
    Step body_done();
    void dispatch();
    void respond(HttpResponse response);
    void refuse_request(const HttpFault& fault);
    Step step_write();
    void answered();

    void watch_read();
    void on_readable();
    void watch_write();
    void close();

    boost::asio::ip::tcp::socket socket_;
    std::shared_ptr<HttpLoop> loop_;
    State state_ = State::head;
    SteadyTime deadline_;
    bool read_watched_ = false;
    bool running_ = false;      // `run` is on the stack
    bool client_left_ = false;  // no more bytes will come
    bool begun_ = false;        // bytes of the next head, or empty lines before it, have come
    bool refused_ = false;      // what follows in the stream cannot be trusted
    std::size_t lingered_ = 0;
    std::string in_;    // read, not yet taken
    std::string head_;  // of the current request; `request_` has views of it
    std::string body_;
    RequestHead request_;
    std::optional<ChunkedDecoder> chunks_;
    std::uint64_t generation_ = 0;  // tells an answer that comes late from the current one's
    std::shared_ptr<PendingCall> call_;
    std::string out_;
    std::size_t written_ = 0;
    bool close_after_ = false;
};

}  // namespace gantry::gateway
