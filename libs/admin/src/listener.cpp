#include "listener.hpp"

#include "gantry/logging/log.hpp"

#include <pthread.h>
#include <algorithm>
#include <boost/asio/post.hpp>
#include <charconv>
#include <string_view>
#include <utility>

namespace gantry::admin {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

Result<tcp::endpoint> parse_listen(std::string_view text) {
    const auto bad = [] {
        return fail(Code::invalid_argument,
                    "must be an address and a port such as 0.0.0.0:8081 or [::1]:0");
    };
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return bad();
    }
    std::string host(text.substr(0, colon));
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    if (host == "localhost") {
        host = "127.0.0.1";
    }
    const std::string_view digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    boost::system::error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (problem != std::errc{} || end != digits.data() + digits.size() || error) {
        return bad();
    }
    return tcp::endpoint(address, port);
}

std::string to_text(const tcp::endpoint& endpoint) {
    const std::string host = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
           std::to_string(endpoint.port());
}

}  // namespace

Listener::Listener(std::string listen, hosting::Context& context, Limits limits)
    : listen_(std::move(listen)), context_(context), limits_(limits) {}

Listener::~Listener() {
    join();
}

Result<void> Listener::start() {
    const tcp::endpoint endpoint = TRY(parse_listen(listen_));
    boost::system::error_code error;
    const auto check = [&](std::string_view step) -> Result<void> {
        if (!error) {
            return {};
        }
        return fail(Code::unavailable,
                    "admin port " + listen_ + ": " + std::string(step) + ": " + error.message());
    };
    acceptor_.open(endpoint.protocol(), error);
    TRY(check("open"));
    acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    TRY(check("set option"));
    acceptor_.bind(endpoint, error);
    TRY(check("bind"));
    acceptor_.listen(asio::socket_base::max_listen_connections, error);
    TRY(check("listen"));
    address_ = to_text(acceptor_.local_endpoint());
    accept();
    thread_ = std::jthread([this] {
        io_.run();
        ended_.request_stop();
    });
    pthread_setname_np(thread_.native_handle(), "admin");
    logging::info("listening", {{"server", "admin"}, {"address", address_}});
    return {};
}

Result<void> Listener::stop(Deadline limit) {
    if (!thread_.joinable()) {
        return {};
    }
    asio::post(io_, [this] {
        stopping_ = true;
        boost::system::error_code ignored;
        acceptor_.close(ignored);
        retry_.cancel();
        // Copied: a session leaves the list when it ends.
        for (const auto& session : Sessions(sessions_)) {
            session->finish();
        }
    });
    // The thread ends by itself when the last session has ended. What is left then is cut off.
    const Deadline grace = Deadline::after(std::chrono::seconds{1}, context_.clock).earlier(limit);
    if (context_.clock.sleep_until(grace.at(), ended_.get_token()) && !ended_.stop_requested()) {
        io_.stop();
    }
    join();
    return {};
}

void Listener::join() {
    if (thread_.joinable()) {
        io_.stop();
        thread_.join();
    }
    sessions_.clear();
}

void Listener::accept() {
    acceptor_.async_accept([this](auto error, tcp::socket socket) {
        if (stopping_ || error == asio::error::operation_aborted) {
            return;
        }
        if (error) {
            // Out of descriptors, most likely: accepting again at once would spin.
            retry_.expires_after(std::chrono::milliseconds{200});
            retry_.async_wait([this](auto cancelled) {
                if (!cancelled && !stopping_) {
                    accept();
                }
            });
            return;
        }
        admit(std::move(socket));
        accept();
    });
}

void Listener::admit(tcp::socket socket) {
    if (sessions_.size() >= limits_.connections) {
        // The oldest idle connection makes room, so that idle ones cannot keep probes out.
        const auto idle =
            std::ranges::find_if(sessions_, [](const auto& session) { return session->idle(); });
        if (idle == sessions_.end()) {
            return;  // Destruction closes the new one.
        }
        (*idle)->close();
    }
    auto session = Session::create(std::move(socket), context_, limits_, sessions_);
    session->start(sessions_.insert(sessions_.end(), session));
}

}  // namespace gantry::admin
