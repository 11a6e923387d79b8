#include "http_connection.hpp"

#include "problem.hpp"

#include "gantry/base/time.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <ctime>
#include <utility>

namespace gantry::gateway {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;

// Pipelined requests wait in memory up to this; then the client has to.
constexpr std::size_t kReadAhead = 64 * 1024;
// After a refusal the rest of the request is read over for a moment, or the client's stack would
// drop the answer unread.
constexpr std::size_t kLingerBytes = 1024 * 1024;
constexpr milliseconds kLinger{2'000};
// A call has its own deadline; this is only for one that never comes back.
constexpr milliseconds kCallMargin{5'000};

std::string http_date() {
    const std::time_t now = std::chrono::system_clock::to_time_t(system_clock().now());
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[40];
    const auto size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return {text, size};
}

std::string serialize(const HttpResponse& response, bool head_only, bool close, bool http_1_0) {
    std::string out;
    out.reserve(response.body.size() + 512);
    out += http_1_0 ? "HTTP/1.0 " : "HTTP/1.1 ";
    out += std::to_string(response.status);
    out += ' ';
    out += reason_phrase(response.status);
    out += "\r\nDate: " + http_date();
    if (response.status != 204) {
        out += "\r\nContent-Type: " + response.content_type;
        out += "\r\nContent-Length: " + std::to_string(response.body.size());
    }
    // Answers can hold personal data, so no cache may keep them.
    out += "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff";
    for (const auto& [name, value] : response.headers) {
        out += "\r\n";
        out += name;
        out += ": ";
        out += value;
    }
    if (close) {
        out += "\r\nConnection: close";
    } else if (http_1_0) {
        out += "\r\nConnection: keep-alive";
    }
    out += "\r\n\r\n";
    if (!head_only) {
        out += response.body;
    }
    return out;
}

}  // namespace

HttpConnection::HttpConnection(asio::ip::tcp::socket socket, std::shared_ptr<HttpLoop> loop)
    : socket_(std::move(socket)), loop_(std::move(loop)) {
    error_code ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
}

void HttpConnection::start() {
    loop_->connections.insert(shared_from_this());
    enter(State::head, loop_->options.header_timeout);
    run();
}

void HttpConnection::refuse() {
    loop_->connections.insert(shared_from_this());
    refuse_request({503, "Too many connections are open.", "OVERLOADED"});
    run();
}

void HttpConnection::enter(State state, milliseconds limit) {
    state_ = state;
    deadline_ = system_clock().steady_now() + limit;
}

void HttpConnection::sweep(SteadyTime now) {
    if (state_ == State::closed || now < deadline_) {
        return;
    }
    if (state_ == State::body || (state_ == State::head && !in_.empty())) {
        refuse_request({408, "The request did not arrive in time.", "REQUEST_TIMEOUT"});
        run();
        return;
    }
    close();
}

void HttpConnection::drain() {
    if (state_ == State::head && in_.empty()) {
        close();
    }
}

void HttpConnection::abort() {
    close();
}

// Takes steps until one has to wait for the socket or for a service. A loop, not recursion: a
// thousand pipelined requests must not be a thousand stack frames.
void HttpConnection::run() {
    if (running_) {
        return;
    }
    running_ = true;
    const auto self = shared_from_this();
    while (state_ != State::closed && step() == Step::again) {
    }
    running_ = false;
    if (state_ != State::closed && state_ != State::writing) {
        watch_read();
    }
}

HttpConnection::Step HttpConnection::step() {
    switch (state_) {
        case State::head:
            return step_head();
        case State::body:
            return step_body();
        case State::writing:
            return step_write();
        case State::lingering:
            lingered_ += in_.size();
            in_.clear();
            if (client_left_ || lingered_ > kLingerBytes) {
                close();
            }
            return Step::wait;
        case State::calling:
            if (client_left_) {
                close();  // nobody is there to take the answer
            }
            return Step::wait;
        case State::closed:
            break;
    }
    return Step::wait;
}

HttpConnection::Step HttpConnection::step_head() {
    // An empty line in front of a request is tolerated (RFC 9112 §2.2).
    while (in_.starts_with("\r\n")) {
        in_.erase(0, 2);
    }
    const auto limit = static_cast<std::size_t>(loop_->options.max_header_size.bytes);
    const auto end = find_head_end(std::string_view(in_).substr(0, limit + 4));
    if (!end) {
        if (in_.size() > limit) {
            refuse_request(
                {431, "The request's head is larger than " + std::to_string(limit) + " bytes.",
                 "HEADERS_TOO_LARGE"});
            return Step::again;
        }
        if (client_left_) {
            close();
        }
        return Step::wait;
    }
    head_ = in_.substr(0, *end);
    in_.erase(0, *end);
    auto read = read_head(head_);
    if (!read) {
        refuse_request(read.error());
        return Step::again;
    }
    request_ = std::move(*read);
    return begin_body();
}

HttpConnection::Step HttpConnection::begin_body() {
    const auto limit = static_cast<std::size_t>(loop_->options.max_body_size.bytes);
    body_.clear();
    chunks_.reset();
    if (request_.content_length.value_or(0) > limit) {
        refuse_request({413, "The body is larger than " + std::to_string(limit) + " bytes.",
                        "BODY_TOO_LARGE"});
        return Step::again;
    }
    if (request_.chunked) {
        chunks_.emplace(limit);
    }
    const bool expects_body = request_.chunked || request_.content_length.value_or(0) > 0;
    if (expects_body && request_.expect_continue && in_.empty() && !request_.http_1_0) {
        static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        error_code ignored;  // a client that does not get it sends the body after a while
        socket_.write_some(asio::buffer(kContinue), ignored);
    }
    enter(State::body, loop_->options.body_timeout);
    return Step::again;
}

HttpConnection::Step HttpConnection::step_body() {
    if (chunks_) {
        const auto taken = chunks_->push(in_, body_);
        if (!taken) {
            refuse_request(taken.error());
            return Step::again;
        }
        in_.erase(0, *taken);
        if (chunks_->done()) {
            return body_done();
        }
    } else {
        const auto length = static_cast<std::size_t>(request_.content_length.value_or(0));
        const auto take = std::min(length - body_.size(), in_.size());
        body_.append(in_, 0, take);
        in_.erase(0, take);
        if (body_.size() == length) {
            return body_done();
        }
    }
    if (client_left_) {
        close();
    }
    return Step::wait;
}

HttpConnection::Step HttpConnection::body_done() {
    request_.request.body = body_;
    enter(State::calling, loop_->options.call_timeout + kCallMargin);
    dispatch();
    return state_ == State::calling ? Step::wait : Step::again;
}

void HttpConnection::dispatch() {
    const std::uint64_t generation = ++generation_;
    auto call = loop_->front.handle(
        request_.request, [self = shared_from_this(), generation](HttpResponse response) {
            // On this loop's thread it runs at once, from a gRPC thread it is posted.
            asio::dispatch(
                self->loop_->io, [self, generation, response = std::move(response)]() mutable {
                    if (self->state_ == State::calling && self->generation_ == generation) {
                        self->respond(std::move(response));
                        self->run();
                    }
                });
        });
    if (state_ == State::calling && generation_ == generation) {
        call_ = std::move(call);
        if (client_left_) {
            close();
        }
    }
}

void HttpConnection::respond(HttpResponse response) {
    call_.reset();
    close_after_ = request_.close || loop_->draining || refused_;
    out_ = serialize(response, request_.request.method == "HEAD", close_after_, request_.http_1_0);
    written_ = 0;
    enter(State::writing, loop_->options.write_timeout);
}

void HttpConnection::refuse_request(const HttpFault& fault) {
    refused_ = true;
    loop_->front.count_refused(fault.status);
    request_ = RequestHead{};  // its views may be of a head that could not be read
    respond(
        problem(fault.status, Error{Code::invalid_argument, fault.message, fault.reason, {}}, {}));
}

HttpConnection::Step HttpConnection::step_write() {
    while (written_ < out_.size()) {
        error_code error;
        written_ +=
            socket_.write_some(asio::buffer(out_.data() + written_, out_.size() - written_), error);
        if (error == asio::error::would_block) {
            watch_write();
            return Step::wait;
        }
        if (error) {
            close();
            return Step::wait;
        }
    }
    answered();
    return Step::again;
}

void HttpConnection::answered() {
    for (std::string* buffer : {&out_, &body_, &in_}) {
        if (buffer != &in_) {
            buffer->clear();
        }
        // A connection that carried a large body does not keep the memory while it is idle.
        if (buffer->empty() && buffer->capacity() > kReadAhead) {
            buffer->shrink_to_fit();
        }
    }
    if (!close_after_) {
        begun_ = !in_.empty();
        enter(State::head,
              in_.empty() ? loop_->options.idle_timeout : loop_->options.header_timeout);
        return;
    }
    if (client_left_) {
        close();
        return;
    }
    error_code ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    enter(State::lingering, kLinger);
}

void HttpConnection::watch_read() {
    const bool full = in_.size() >= kReadAhead && state_ == State::calling;
    if (read_watched_ || client_left_ || full) {
        return;
    }
    read_watched_ = true;
    socket_.async_wait(asio::ip::tcp::socket::wait_read,
                       [self = shared_from_this()](const error_code& error) {
                           self->read_watched_ = false;
                           if (!error && self->state_ != State::closed) {
                               self->on_readable();
                           }
                       });
}

void HttpConnection::on_readable() {
    error_code error;
    const std::size_t size = socket_.read_some(asio::buffer(loop_->scratch), error);
    if (error == asio::error::would_block) {
        watch_read();
        return;
    }
    if (error) {
        client_left_ = true;
    } else {
        if (state_ == State::head && !std::exchange(begun_, true)) {
            enter(State::head, loop_->options.header_timeout);  // from the first byte
        }
        in_.append(loop_->scratch.data(), size);
    }
    run();
}

void HttpConnection::watch_write() {
    socket_.async_wait(asio::ip::tcp::socket::wait_write,
                       [self = shared_from_this()](const error_code& error) {
                           if (error) {
                               self->close();
                           } else if (self->state_ == State::writing) {
                               self->run();
                           }
                       });
}

void HttpConnection::close() {
    if (state_ == State::closed) {
        return;
    }
    state_ = State::closed;
    if (call_) {
        call_->cancel();
        call_.reset();
    }
    error_code ignored;
    socket_.close(ignored);
    const auto self = shared_from_this();
    loop_->connections.erase(self);
    loop_->closed();
}

}  // namespace gantry::gateway
