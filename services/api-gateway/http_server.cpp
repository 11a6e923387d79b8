#include "http_server.hpp"

#include "http_connection.hpp"

#include "gantry/logging/log.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace gantry::gateway {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr milliseconds kSweepEvery{100};
constexpr milliseconds kAcceptPause{100};
// Connections over the limit that may linger while they read their 503.
constexpr int kMostRefused = 64;
// Kept back from a stop's limit, to cancel what is left.
constexpr milliseconds kCancelMargin{1'000};

Result<tcp::endpoint> parse_address(const std::string& listen) {
    const auto colon = listen.rfind(':');
    if (colon == std::string::npos) {
        return fail(Code::invalid_argument, "http.listen must be host:port");
    }
    std::string host = listen.substr(0, colon);
    if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    unsigned short port = 0;
    const char* begin = listen.data() + colon + 1;
    const char* end = listen.data() + listen.size();
    error_code error;
    const auto address = host == "localhost" ? asio::ip::make_address("127.0.0.1")
                                             : asio::ip::make_address(host, error);
    if (error || begin == end || std::from_chars(begin, end, port).ptr != end) {
        return fail(Code::invalid_argument, "http.listen must be an IP address and a port");
    }
    return tcp::endpoint(address, port);
}

std::string to_text(const tcp::endpoint& endpoint) {
    const std::string host = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
           std::to_string(endpoint.port());
}

// A shell's default of 1,024 files is less than the connections and files of a busy gateway.
void raise_file_limit(int connections) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    const auto wanted = static_cast<rlim_t>(connections) + 512;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = std::min(wanted, limit.rlim_max);
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted) {
            logging::warning("too few file descriptors for http.max_connections",
                             {{"allowed", limit.rlim_cur}, {"wanted", wanted}});
        }
    }
}

}  // namespace

class HttpServer::Impl {
public:
    Impl(HttpOptions options, Front& front, hosting::Context& context)
        : options_(std::move(options)),
          front_(front),
          open_gauge_(context.metrics.gauge("gantry_http_connections", "Open REST connections.")),
          refused_(context.metrics.counter("gantry_http_connections_refused_total",
                                           "Connections over http.max_connections.")) {}

    ~Impl() { halt(); }

    Result<void> start();
    Result<void> stop(Deadline limit);
    std::string address() const { return to_text(bound_); }

private:
    struct Worker {
        std::shared_ptr<HttpLoop> loop;
        std::unique_ptr<asio::steady_timer> timer;
        std::jthread thread;
    };

    void accept();
    void accepted(tcp::socket socket, Worker& worker);
    void schedule_sweep(Worker& worker);
    void each_connection(const std::function<void(HttpConnection&)>& act);
    void connection_closed();
    bool await_closed(Deadline limit);
    void halt();

    // Constant after `start`.
    const HttpOptions options_;
    Front& front_;
    metrics::Gauge& open_gauge_;
    metrics::Counter& refused_;
    tcp::endpoint bound_;
    // Used on the first loop's thread only.
    std::unique_ptr<tcp::acceptor> acceptor_;
    std::unique_ptr<asio::steady_timer> accept_pause_;
    std::size_t next_ = 0;
    // Guarded by mutex_.
    std::mutex mutex_;
    std::condition_variable all_closed_;
    int open_ = 0;
    bool accepting_ = false;
    std::vector<Worker> workers_;
};

Result<void> HttpServer::Impl::start() {
    const tcp::endpoint wanted = TRY(parse_address(options_.listen));
    raise_file_limit(options_.max_connections);
    for (int i = 0; i < options_.threads; ++i) {
        Worker worker;
        worker.loop = std::make_shared<HttpLoop>(front_, options_);
        worker.loop->closed = [this] { connection_closed(); };
        worker.timer = std::make_unique<asio::steady_timer>(worker.loop->io);
        workers_.push_back(std::move(worker));
    }
    acceptor_ = std::make_unique<tcp::acceptor>(workers_.front().loop->io);
    accept_pause_ = std::make_unique<asio::steady_timer>(workers_.front().loop->io);
    error_code error;
    acceptor_->open(wanted.protocol(), error);
    if (!error) {
        acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
        acceptor_->bind(wanted, error);
    }
    if (!error) {
        acceptor_->listen(asio::socket_base::max_listen_connections, error);
    }
    if (error) {
        return fail(Code::unavailable,
                    "cannot listen on " + options_.listen + ": " + error.message());
    }
    bound_ = acceptor_->local_endpoint();
    accepting_ = true;
    accept();
    for (Worker& worker : workers_) {
        schedule_sweep(worker);
        worker.thread = std::jthread([loop = worker.loop] {
            const auto work = asio::make_work_guard(loop->io);
            loop->io.run();
        });
    }
    logging::info("listening", {{"server", "http"}, {"address", address()}});
    return {};
}

void HttpServer::Impl::accept() {
    Worker& worker = workers_[next_++ % workers_.size()];
    acceptor_->async_accept(
        worker.loop->io, [this, &worker](const error_code& error, tcp::socket socket) {
            if (error == asio::error::operation_aborted || !acceptor_->is_open()) {
                return;
            }
            if (error) {
                // Out of file descriptors, most likely: the connection stays in the backlog.
                logging::warning("cannot accept connections", {{"error", error.message()}});
                accept_pause_->expires_after(kAcceptPause);
                accept_pause_->async_wait([this](const error_code& cancelled) {
                    if (!cancelled) {
                        accept();
                    }
                });
                return;
            }
            accepted(std::move(socket), worker);
            accept();
        });
}

void HttpServer::Impl::accepted(tcp::socket socket, Worker& worker) {
    int open = 0;
    {
        const std::lock_guard lock(mutex_);
        open = open_;
        if (!accepting_ || open >= options_.max_connections + kMostRefused) {
            refused_.increment();
            return;  // the socket closes itself
        }
        open_gauge_.set(++open_);
    }
    auto connection = std::make_shared<HttpConnection>(std::move(socket), worker.loop);
    asio::post(worker.loop->io, [connection, full = open >= options_.max_connections] {
        full ? connection->refuse() : connection->start();
    });
    if (open >= options_.max_connections) {
        refused_.increment();
    }
}

void HttpServer::Impl::connection_closed() {
    const std::lock_guard lock(mutex_);
    open_gauge_.set(--open_);
    if (open_ == 0) {
        all_closed_.notify_all();
    }
}

void HttpServer::Impl::schedule_sweep(Worker& worker) {
    worker.timer->expires_after(kSweepEvery);
    worker.timer->async_wait([this, &worker](const error_code& error) {
        if (error) {
            return;
        }
        const SteadyTime now = system_clock().steady_now();
        // A copy, for a connection that closes takes itself out.
        const auto connections =
            std::vector(worker.loop->connections.begin(), worker.loop->connections.end());
        for (const auto& connection : connections) {
            connection->sweep(now);
        }
        schedule_sweep(worker);
    });
}

void HttpServer::Impl::each_connection(const std::function<void(HttpConnection&)>& act) {
    for (Worker& worker : workers_) {
        asio::post(worker.loop->io, [loop = worker.loop, act] {
            loop->draining = true;
            const auto connections =
                std::vector(loop->connections.begin(), loop->connections.end());
            for (const auto& connection : connections) {
                act(*connection);
            }
        });
    }
}

bool HttpServer::Impl::await_closed(Deadline limit) {
    std::unique_lock lock(mutex_);
    return all_closed_.wait_for(lock, limit.remaining(), [this] { return open_ == 0; });
}

Result<void> HttpServer::Impl::stop(Deadline limit) {
    if (!accepting_) {
        return {};
    }
    {
        const std::lock_guard lock(mutex_);
        accepting_ = false;
    }
    asio::post(workers_.front().loop->io, [this] {
        error_code ignored;
        acceptor_->close(ignored);
        accept_pause_->cancel();
    });
    each_connection([](HttpConnection& connection) { connection.drain(); });
    const auto grace = std::max(limit.remaining() - kCancelMargin, limit.remaining() / 2);
    bool closed = await_closed(Deadline::after(grace));
    if (!closed) {
        each_connection([](HttpConnection& connection) { connection.abort(); });
        closed = await_closed(limit);
    }
    const bool idle = front_.await_idle(limit);
    halt();
    if (!closed || !idle) {
        return fail(Code::deadline_exceeded, "REST requests were still under way");
    }
    return {};
}

void HttpServer::Impl::halt() {
    for (Worker& worker : workers_) {
        worker.loop->io.stop();
    }
    for (Worker& worker : workers_) {
        if (worker.thread.joinable()) {
            worker.thread.join();
        }
    }
}

HttpServer::HttpServer(HttpOptions options, Front& front, hosting::Context& context)
    : impl_(std::make_unique<Impl>(std::move(options), front, context)) {}

HttpServer::~HttpServer() = default;

Result<void> HttpServer::start(std::stop_token) {
    return impl_->start();
}

Result<void> HttpServer::stop(Deadline limit) {
    return impl_->stop(limit);
}

std::string HttpServer::address() const {
    return impl_->address();
}

}  // namespace gantry::gateway
