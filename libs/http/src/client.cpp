#include "gantry/http/client.hpp"

#include "gantry/base/deadline.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <optional>

namespace gantry::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace beast_http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kMaxBody = 64 * 1024;
constexpr milliseconds kStopCheck{50};

/// One exchange on an event loop of its own: every step has the same end, `outcome`.
template <class Stream>
class Exchange {
public:
    Exchange(asio::io_context& io, Stream& stream, const Request& request)
        : stream_(stream), resolver_(io), url_(request.url) {
        message_.method_string(request.method);
        message_.target(request.url.target);
        message_.version(11);
        message_.set(beast_http::field::host, request.url.authority());
        message_.set(beast_http::field::user_agent, "gantry");
        message_.set(beast_http::field::connection, "close");
        for (const auto& [name, value] : request.headers) {
            message_.set(name, value);
        }
        message_.body() = request.body;
        message_.prepare_payload();
        parser_.body_limit(kMaxBody);
    }

    void start() {
        resolver_.async_resolve(url_.host, std::to_string(url_.port),
                                [this](error_code error, const tcp::resolver::results_type& found) {
                                    if (error) {
                                        return end(error);
                                    }
                                    beast::get_lowest_layer(stream_).async_connect(
                                        found, [this](error_code failed, const tcp::endpoint&) {
                                            failed ? end(failed) : secure();
                                        });
                                });
    }

    [[nodiscard]] const std::optional<error_code>& outcome() const { return outcome_; }
    [[nodiscard]] Response response() const {
        return {static_cast<int>(parser_.get().result_int()),
                std::string(parser_.get()[beast_http::field::retry_after])};
    }

private:
    void secure() {
        if constexpr (requires {
                          stream_.async_handshake(asio::ssl::stream_base::client,
                                                  [](error_code) {});
                      }) {
            stream_.async_handshake(asio::ssl::stream_base::client,
                                    [this](error_code error) { error ? end(error) : write(); });
        } else {
            write();
        }
    }
    void write() {
        beast_http::async_write(stream_, message_, [this](error_code error, std::size_t) {
            error ? end(error) : read();
        });
    }
    void read() {
        beast_http::async_read(stream_, buffer_, parser_, [this](error_code error, std::size_t) {
            // The status is what counts; of a long body the rest is not read.
            end(error == beast_http::error::body_limit && parser_.is_header_done() ? error_code{}
                                                                                   : error);
        });
    }
    void end(error_code error) { outcome_ = error; }

    Stream& stream_;
    tcp::resolver resolver_;
    const Url& url_;
    beast_http::request<beast_http::string_body> message_;
    beast_http::response_parser<beast_http::string_body> parser_;
    beast::flat_buffer buffer_;
    std::optional<error_code> outcome_;
};

template <class Stream>
Result<Response> exchange(asio::io_context& io, Stream& stream, const Request& request,
                          const std::stop_token& stop) {
    Exchange<Stream> running(io, stream, request);
    const auto deadline = Deadline::after(request.timeout);
    running.start();
    while (!running.outcome() && !deadline.expired() && !stop.stop_requested()) {
        io.restart();
        io.run_for(std::min(kStopCheck, deadline.remaining()));
    }
    if (!running.outcome()) {
        // Nothing of the exchange may run after it is gone.
        beast::get_lowest_layer(stream).close();
        io.stop();
        return stop.stop_requested()
                   ? fail(Code::cancelled, "the request was cancelled")
                   : fail(Code::deadline_exceeded,
                          "no answer within " + std::to_string(request.timeout.count()) + " ms");
    }
    if (*running.outcome()) {
        return fail(Code::unavailable, "the request failed: " + running.outcome()->message());
    }
    return running.response();
}

class BeastClient final : public Client {
public:
    BeastClient() {
        tls_.set_default_verify_paths();
        tls_.set_verify_mode(asio::ssl::verify_peer);
    }

    Result<Response> send(const Request& request, std::stop_token stop) override {
        try {
            asio::io_context io(1);
            if (!request.url.secure) {
                beast::tcp_stream stream(io);
                return exchange(io, stream, request, stop);
            }
            beast::ssl_stream<beast::tcp_stream> stream(io, tls_);
            stream.set_verify_callback(asio::ssl::host_name_verification(request.url.host));
            // What the macro SSL_set_tlsext_host_name does, without its C casts.
            if (SSL_ctrl(stream.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME,
                         TLSEXT_NAMETYPE_host_name,
                         const_cast<char*>(request.url.host.c_str())) != 1) {
                return fail(Code::internal, "the server's name cannot be set for TLS");
            }
            return exchange(io, stream, request, stop);
        } catch (const std::exception& thrown) {
            return fail(Code::unavailable, std::string("the request failed: ") + thrown.what());
        }
    }

private:
    asio::ssl::context tls_{asio::ssl::context::tls_client};
};

}  // namespace

std::unique_ptr<Client> make_client() {
    return std::make_unique<BeastClient>();
}

}  // namespace gantry::http
