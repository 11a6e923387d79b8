#include "gantry/hosting/tcp_server.hpp"

#include "tcp_connection.hpp"

#include "gantry/logging/log.hpp"
#include "gantry/logging/throttle.hpp"

#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <list>
#include <system_error>
#include <thread>
#include <utility>

namespace gantry::hosting {
namespace {

constexpr milliseconds kIdleBeat{1'000};
constexpr milliseconds kPauseWithoutDescriptors{100};

/// What accept(2) says of one connection, or of this moment, and not of the listener.
bool passes(int number) {
    switch (number) {
        case EINTR:
        case EAGAIN:
        case ECONNABORTED:
        case EPERM:
        case EPROTO:
        case ENOPROTOOPT:
        case ENETDOWN:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
            return true;
        default:
            return false;
    }
}

bool out_of_resources(int number) {
    return number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM;
}

}  // namespace

class TcpServer::Impl {
public:
    Impl(std::string name, Context& context, Options options, Handler handler)
        : name_(std::move(name)),
          context_(context),
          options_(std::move(options)),
          handler_(std::move(handler)),
          connections_gauge_(context.metrics.gauge("gantry_tcp_connections", "Open connections.",
                                                   {{"server", name_}})),
          succeeded_(ended("success")),
          failed_(ended("failure")),
          cut_(ended("cut")),
          refused_(ended("refused")),
          duration_(context.metrics.histogram("gantry_tcp_connection_duration_seconds",
                                              "How long connections last.", {{"server", name_}})) {
        shared_.io_limit = options_.io_limit;
        shared_.received = &context.metrics.counter("gantry_tcp_received_bytes_total",
                                                    "Bytes from peers.", {{"server", name_}});
        shared_.sent = &context.metrics.counter("gantry_tcp_sent_bytes_total", "Bytes to peers.",
                                                {{"server", name_}});
    }

    ~Impl() {
        begin_drain();
        if (shared_.cut.descriptor() >= 0) {
            shared_.cut.set();
        }
        acceptor_ = {};
        connections_.clear();
    }

    Result<void> start() {
        const auto address = TRY(SocketAddress::parse(options_.listen));
        TRY(shared_.draining.open());
        TRY(shared_.cut.open());
        listener_ = TRY(listen_on(address));
        address_ = bound_address(listener_.get());
        heartbeat_ = context_.watchdog.watch(name_);
        acceptor_ = std::jthread([this] { accept_all(); });
        constexpr std::size_t kLongestThreadName = 15;
        pthread_setname_np(acceptor_.native_handle(), name_.substr(0, kLongestThreadName).c_str());
        logging::info("listening", {{"server", name_}, {"address", address_}});
        return {};
    }

    Result<void> stop(Deadline limit) {
        if (!acceptor_.joinable()) {
            return {};
        }
        begin_drain();
        acceptor_.join();
        accepting_ended_ = true;
        if (active_ == 0) {
            all_ended_.request_stop();
        }
        const SteadyTime::duration left =
            std::max(limit.at() - context_.clock.steady_now(), SteadyTime::duration{0});
        const SteadyTime cut_at =
            limit.is_never()
                ? limit.at()
                : limit.at() - std::min<SteadyTime::duration>(options_.cut_before, left / 2);
        if (!wait_for_connections(cut_at)) {
            was_cut_ = true;
            shared_.cut.set();
            logging::warning("connections were cut, the stop is out of time",
                             {{"server", name_}, {"connections", active_.load()}});
            if (!wait_for_connections(limit.at())) {
                return fail(Code::deadline_exceeded, std::to_string(active_.load()) +
                                                         " connections of `" + name_ +
                                                         "` did not end in time");
            }
        }
        return {};
    }

    EndCallback on_end;
    [[nodiscard]] const std::string& address() const { return address_; }

private:
    struct Connection {
        std::atomic<bool> done = false;
        std::jthread thread;
    };

    metrics::Counter& ended(const std::string& outcome) {
        return context_.metrics.counter("gantry_tcp_connections_total",
                                        "Connections, by how they ended.",
                                        {{"server", name_}, {"outcome", outcome}});
    }

    void begin_drain() {
        draining_ = true;
        drain_.request_stop();
        if (shared_.draining.descriptor() >= 0) {
            shared_.draining.set();
        }
    }

    bool wait_for_connections(SteadyTime until) {
        return !context_.clock.sleep_until(until, all_ended_.get_token()) ||
               all_ended_.stop_requested();
    }

    void accept_all() {
        bool paused = false;
        while (!draining_) {
            heartbeat_->beat();
            std::erase_if(connections_, [](const Connection& one) { return one.done.load(); });
            const auto patience = paused ? kPauseWithoutDescriptors : kIdleBeat;
            const Ready ready =
                wait_ready(paused ? -1 : listener_.get(), POLLIN, {shared_.draining.descriptor()},
                           std::chrono::steady_clock::now() + patience);
            paused = false;
            if (ready != Ready::descriptor) {
                continue;
            }
            SocketAddress peer;
            peer.size = sizeof peer.storage;
            Descriptor socket(accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer.storage),
                                      &peer.size, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (socket) {
                admit(std::move(socket), peer.to_string());
            } else if (out_of_resources(errno)) {
                // Accepting again at once would spin.
                paused = true;
                if (throttle_.pass(context_.clock.steady_now())) {
                    logging::warning("no connection can be accepted: out of resources",
                                     {{"server", name_}});
                }
            } else if (!passes(errno)) {
                const int number = errno;
                heartbeat_->pause();
                if (on_end) {
                    on_end(system_failure(Code::internal, "accept", number));
                }
                return;
            }
        }
        heartbeat_->pause();
        // At once, so that nobody waits in its queue while the connections end.
        listener_.reset();
    }

    void admit(Descriptor socket, std::string peer) {
        if (active_ >= options_.max_connections) {
            refused_.increment();
            if (throttle_.pass(context_.clock.steady_now())) {
                logging::warning("connection refused: there are as many as allowed",
                                 {{"server", name_}, {"connections", active_.load()}});
            }
            return;
        }
        const int on = 1;
        setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections_gauge_.set(++active_);
        Connection& connection = connections_.emplace_back();
        // Shared, because a thread that could not begin leaves them to be destroyed here.
        auto owned = std::make_shared<Descriptor>(std::move(socket));
        try {
            connection.thread =
                std::jthread([this, &connection, owned, peer = std::move(peer)]() mutable {
                    pthread_setname_np(pthread_self(), "tcp-connection");
                    serve(std::move(*owned), std::move(peer));
                    connection.done = true;
                    leave();
                });
        } catch (const std::system_error&) {
            connections_.pop_back();
            refused_.increment();
            leave();
        }
    }

    void leave() {
        const int left = --active_;
        connections_gauge_.set(left);
        // Not before: one more may have been accepted as the drain began.
        if (left == 0 && accepting_ended_) {
            all_ended_.request_stop();
        }
    }

    void serve(Descriptor socket, std::string peer) {
        const SteadyTime began = context_.clock.steady_now();
        const bool limited = options_.connection_limit > milliseconds{0};
        const auto heartbeat = context_.watchdog.watch(name_);
        SocketConnection connection(
            std::move(socket), std::move(peer), shared_, heartbeat,
            limited ? Deadline::after(options_.connection_limit) : Deadline::never());
        Scope scope(
            context_.clock,
            {.name = name_,
             .kind = tracing::SpanKind::server,
             .deadline = limited ? Deadline{began + options_.connection_limit} : Deadline::never(),
             .stop = drain_.get_token(),
             .heartbeat = heartbeat});
        const auto result = scope.run([&](Scope& own) { return handler_(connection, own); });
        connection.finish();
        const std::chrono::duration<double> took = context_.clock.steady_now() - began;
        duration_.observe(took.count());
        if (result) {
            succeeded_.increment();
        } else if (draining_ && result.error().code == Code::cancelled) {
            // One that was only waiting for its peer's next request has ended as it should.
            (was_cut_ ? cut_ : succeeded_).increment();
        } else {
            failed(result.error());
        }
    }

    void failed(const Error& error) {
        failed_.increment();
        context_.lifetime.record_error(name_, error, context_.clock.now());
        if (const auto held_back = failures_.pass(context_.clock.steady_now())) {
            logging::warning("connection failed", error,
                             {{"server", name_}, {"held_back", *held_back}});
        }
    }

    // Constant after construction and start.
    std::string name_;
    Context& context_;
    Options options_;
    Handler handler_;
    metrics::Gauge& connections_gauge_;
    metrics::Counter& succeeded_;
    metrics::Counter& failed_;
    metrics::Counter& cut_;
    metrics::Counter& refused_;
    metrics::Histogram& duration_;
    TcpShared shared_;
    std::string address_;
    std::shared_ptr<health::Heartbeat> heartbeat_;
    // Self-synchronised.
    std::atomic<int> active_ = 0;
    std::atomic<bool> draining_ = false;
    std::atomic<bool> accepting_ended_ = false;
    std::atomic<bool> was_cut_ = false;
    std::stop_source drain_;
    std::stop_source all_ended_;
    logging::Throttle throttle_{milliseconds{10'000}};
    logging::Throttle failures_{milliseconds{10'000}};
    // The acceptor's thread only, while it runs.
    Descriptor listener_;
    std::list<Connection> connections_;
    // Last: it uses the rest.
    std::jthread acceptor_;
};

TcpServer::TcpServer(std::string name, Context& context, Options options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(name), context, std::move(options),
                                   std::move(handler))) {}
TcpServer::~TcpServer() = default;

Result<void> TcpServer::start(std::stop_token /*aborted*/) {
    return impl_->start();
}
Result<void> TcpServer::stop(Deadline limit) {
    return impl_->stop(limit);
}
void TcpServer::on_end(EndCallback callback) {
    impl_->on_end = std::move(callback);
}
std::string TcpServer::address() const {
    return impl_->address();
}

}  // namespace gantry::hosting
