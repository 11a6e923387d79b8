#include "gantry/admin/server.hpp"

#include "pages.hpp"

#include "gantry/logging/log.hpp"

#include <pthread.h>
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>

namespace gantry::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr std::uint32_t kHeaderCap = 8 * 1024;
constexpr std::uint64_t kBodyCap = 16 * 1024;
constexpr std::size_t kConnectionCap = 128;
constexpr std::chrono::seconds kRequestLimit{5};  // For one request, once its first byte is due.
constexpr std::chrono::seconds kIdleLimit{75};  // Between requests: longer than a scrape interval.

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

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

class Session;
using Sessions = std::list<std::shared_ptr<Session>>;

/// One connection: reads a request, answers, and again while the peer keeps it alive. Lives on the
/// server's thread; the server's list owns it.
class Session : public std::enable_shared_from_this<Session> {
public:
    Session(tcp::socket socket, const hosting::Context& context, Sessions& sessions)
        : stream_(std::move(socket)), context_(context), sessions_(sessions) {}

    void start(Sessions::iterator place) {
        place_ = place;
        read(kRequestLimit);
    }

    /// True between requests, when closing costs the peer nothing.
    [[nodiscard]] bool idle() const { return idle_; }

    /// Ends at once if idle, else with the answer that is under way.
    void finish() {
        last_ = true;
        if (idle_) {
            close();
        }
    }

    void close() {
        idle_ = false;
        boost::system::error_code ignored;
        stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
        stream_.close();
    }

private:
    // Waits for the first byte with the patience given, then reads the request within its own
    // limit, so that a slow client holds a connection for seconds and not for ever.
    void read(std::chrono::seconds patience) {
        parser_.emplace();
        parser_->header_limit(kHeaderCap);
        parser_->body_limit(kBodyCap);
        idle_ = true;
        if (buffer_.size() > 0) {
            read_request();
            return;
        }
        stream_.expires_after(patience);
        stream_.async_read_some(buffer_.prepare(1024),
                                [self = shared_from_this()](auto error, std::size_t count) {
                                    if (error) {
                                        self->leave();
                                        return;
                                    }
                                    self->buffer_.commit(count);
                                    self->read_request();
                                });
    }

    void read_request() {
        idle_ = false;
        stream_.expires_after(kRequestLimit);
        http::async_read(
            stream_, buffer_, *parser_,
            [self = shared_from_this()](auto error, std::size_t) { self->on_request(error); });
    }

    void on_request(boost::system::error_code error) {
        if (!error) {
            respond(answer(context_, std::string_view(parser_->get().method_string()),
                           std::string_view(parser_->get().target())));
            return;
        }
        last_ = true;
        if (error == http::error::header_limit) {
            respond({431, "text/plain; charset=utf-8", "header too large\n", {}});
        } else if (error == http::error::body_limit) {
            respond({413, "text/plain; charset=utf-8", "body too large\n", {}});
        } else if (error.category() == make_error_code(http::error::bad_method).category() &&
                   error != http::error::end_of_stream && error != http::error::partial_message) {
            respond({400, "text/plain; charset=utf-8", "malformed request\n", {}});
        } else {
            leave();
        }
    }

    void respond(Answer content) {
        const Request& request = parser_->get();
        const bool head = request.method() == http::verb::head;
        response_ = {};
        response_.result(static_cast<unsigned>(content.status));
        response_.version(request.version());
        response_.set(http::field::content_type, content.content_type);
        response_.set(http::field::cache_control, "no-store");
        if (!content.allow.empty()) {
            response_.set(http::field::allow, content.allow);
        }
        response_.keep_alive(!last_ && request.keep_alive());
        response_.content_length(content.body.size());
        if (!head) {
            response_.body() = std::move(content.body);
        }
        // The serializer is ours, because a HEAD's Content-Length speaks of a body that is not
        // there.
        serializer_.emplace(response_);
        stream_.expires_after(kRequestLimit);
        const auto written = [self = shared_from_this()](auto error, std::size_t) {
            self->on_written(error);
        };
        if (head) {
            http::async_write_header(stream_, *serializer_, written);
        } else {
            http::async_write(stream_, *serializer_, written);
        }
    }

    void on_written(boost::system::error_code error) {
        if (error || last_ || !response_.keep_alive()) {
            leave();
            return;
        }
        read(kIdleLimit);
    }

    void leave() {
        close();
        if (!left_) {
            left_ = true;
            sessions_.erase(place_);
        }
    }

    beast::tcp_stream stream_;
    const hosting::Context& context_;
    Sessions& sessions_;
    Sessions::iterator place_;
    beast::flat_buffer buffer_{kHeaderCap + kBodyCap};
    std::optional<http::request_parser<http::string_body>> parser_;
    Response response_;
    std::optional<http::response_serializer<http::string_body>> serializer_;
    bool idle_ = true;
    bool last_ = false;
    bool left_ = false;
};

}  // namespace

void Options::bind(config::Binder& binder) {
    binder
        .add("admin.listen", listen,
             "Address of the HTTP port for probes, health and metrics; port 0 picks a free one.")
        .required()
        .check([](std::string_view text) {
            const auto parsed = parse_listen(text);
            return parsed ? std::string() : parsed.error().message;
        });
}

class Server::Impl {
public:
    Impl(Options options, hosting::Context& context)
        : options_(std::move(options)), context_(context), acceptor_(io_), retry_(io_) {}

    ~Impl() { join(); }

    Result<void> start() {
        const tcp::endpoint endpoint = TRY(parse_listen(options_.listen));
        boost::system::error_code error;
        const auto check = [&](std::string_view step) -> Result<void> {
            if (!error) {
                return {};
            }
            return fail(Code::unavailable, "admin port " + options_.listen + ": " +
                                               std::string(step) + ": " + error.message());
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

    Result<void> stop(Deadline limit) {
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
        const Deadline grace =
            Deadline::after(std::chrono::seconds{1}, context_.clock).earlier(limit);
        if (context_.clock.sleep_until(grace.at(), ended_.get_token()) &&
            !ended_.stop_requested()) {
            io_.stop();
        }
        join();
        return {};
    }

    std::string address() const { return address_; }

private:
    void join() {
        if (thread_.joinable()) {
            io_.stop();
            thread_.join();
        }
        sessions_.clear();
    }

    void accept() {
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

    void admit(tcp::socket socket) {
        if (sessions_.size() >= kConnectionCap) {
            // The oldest idle connection makes room, so that idle ones cannot keep probes out.
            const auto idle = std::ranges::find_if(
                sessions_, [](const auto& session) { return session->idle(); });
            if (idle == sessions_.end()) {
                return;  // Destruction closes the new one.
            }
            (*idle)->close();
        }
        auto session = std::make_shared<Session>(std::move(socket), context_, sessions_);
        session->start(sessions_.insert(sessions_.end(), session));
    }

    // Constant after construction and start.
    Options options_;
    hosting::Context& context_;
    std::string address_;
    std::stop_source ended_;
    // The server's thread only, once it runs.
    asio::io_context io_{1};
    tcp::acceptor acceptor_;
    asio::steady_timer retry_;
    Sessions sessions_;
    bool stopping_ = false;
    // Last: it uses the rest.
    std::jthread thread_;
};

Server::Server(Options options, hosting::Context& context)
    : impl_(std::make_unique<Impl>(std::move(options), context)) {}
Server::~Server() = default;

Result<void> Server::start(std::stop_token /*aborted*/) {
    return impl_->start();
}
Result<void> Server::stop(Deadline limit) {
    return impl_->stop(limit);
}
std::string Server::address() const {
    return impl_->address();
}

}  // namespace gantry::admin
