#include "session.hpp"

#include "pages.hpp"

#include "gantry/logging/log.hpp"

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <exception>
#include <optional>
#include <utility>

namespace gantry::admin {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;

constexpr std::uint32_t kHeaderCap = 8 * 1024;
constexpr std::uint64_t kBodyCap = 16 * 1024;
constexpr std::chrono::milliseconds kLinger{1'000};
constexpr std::size_t kDiscardAtOnce = 4 * 1024;
constexpr std::size_t kDiscardAtMost = 1024 * 1024;

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

class HttpSession final : public Session, public std::enable_shared_from_this<HttpSession> {
public:
    HttpSession(tcp::socket socket, const hosting::Context& context, const Limits& limits,
                Sessions& sessions)
        : stream_(std::move(socket)), context_(context), limits_(limits), sessions_(sessions) {}

    void start(Sessions::iterator place) override {
        place_ = place;
        read(limits_.request);
    }

    [[nodiscard]] bool idle() const override { return idle_; }

    void finish() override {
        last_ = true;
        if (idle_) {
            close();
        }
    }

    void close() override {
        idle_ = false;
        boost::system::error_code ignored;
        stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
        stream_.close();
    }

private:
    // Waits for the first byte with the patience given, then reads the request within its own
    // limit, so that a slow client holds a connection for seconds and not for ever.
    void read(std::chrono::milliseconds patience) {
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
        stream_.expires_after(limits_.request);
        http::async_read(
            stream_, buffer_, *parser_,
            [self = shared_from_this()](auto error, std::size_t) { self->on_request(error); });
    }

    void on_request(boost::system::error_code error) {
        if (!error) {
            respond(page());
            return;
        }
        last_ = true;
        refused_ = true;
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

    // A page that throws costs its request, not the process.
    Answer page() {
        try {
            return answer(context_, std::string_view(parser_->get().method_string()),
                          std::string_view(parser_->get().target()));
        } catch (const std::exception&) {
            logging::error("a page of the admin port threw an exception",
                           {{"page", page_name(std::string_view(parser_->get().target()))}});
            return {500, "text/plain; charset=utf-8", "internal error\n", {}};
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
        stream_.expires_after(limits_.request);
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
        if (!error && refused_) {
            linger();
            return;
        }
        if (error || last_ || !response_.keep_alive()) {
            leave();
            return;
        }
        read(limits_.idle);
    }

    // A close with unread input resets the connection, and the peer would lose its answer. What it
    // still sends is thrown away for a moment.
    void linger() {
        idle_ = true;
        boost::system::error_code ignored;
        stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
        stream_.expires_after(std::min<std::chrono::milliseconds>(limits_.request, kLinger));
        discard();
    }

    void discard() {
        buffer_.clear();
        stream_.async_read_some(buffer_.prepare(kDiscardAtOnce),
                                [self = shared_from_this()](auto error, std::size_t count) {
                                    self->discarded_ += count;
                                    if (error || self->discarded_ > kDiscardAtMost) {
                                        self->leave();
                                        return;
                                    }
                                    self->discard();
                                });
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
    const Limits& limits_;
    Sessions& sessions_;
    Sessions::iterator place_;
    beast::flat_buffer buffer_{kHeaderCap + kBodyCap};
    std::optional<http::request_parser<http::string_body>> parser_;
    Response response_;
    std::optional<http::response_serializer<http::string_body>> serializer_;
    bool idle_ = true;
    bool last_ = false;
    bool refused_ = false;  // The request was not read to its end.
    std::size_t discarded_ = 0;
    bool left_ = false;
};

}  // namespace

std::shared_ptr<Session> Session::create(tcp::socket socket, const hosting::Context& context,
                                         const Limits& limits, Sessions& sessions) {
    return std::make_shared<HttpSession>(std::move(socket), context, limits, sessions);
}

}  // namespace gantry::admin
