#pragma once

#include "session.hpp"

#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"
#include "gantry/hosting/context.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <stop_token>
#include <string>
#include <thread>

namespace gantry::admin {

/// The admin port itself: accepts connections up to a cap on a thread of its own, and ends them.
class Listener {
public:
    Listener(std::string listen, hosting::Context& context, Limits limits);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    /// Binds the port and starts the thread.
    Result<void> start();
    /// Closes idle connections at once and lets answers under way end, for a second at most.
    Result<void> stop(Deadline limit);
    /// The bound address as `ip:port`, once started.
    [[nodiscard]] std::string address() const { return address_; }

private:
    void join();
    void accept();
    void admit(boost::asio::ip::tcp::socket socket);

    // Constant after construction and start.
    std::string listen_;
    hosting::Context& context_;
    Limits limits_;
    std::string address_;
    std::stop_source ended_;
    // The server's thread only, once it runs.
    boost::asio::io_context io_{1};
    boost::asio::ip::tcp::acceptor acceptor_{io_};
    boost::asio::steady_timer retry_{io_};
    Sessions sessions_;
    bool stopping_ = false;
    // Last: it uses the rest.
    std::jthread thread_;
};

}  // namespace gantry::admin
