#include "listener.hpp"

#include "gantry/logging/log.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <netinet/tcp.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>

namespace gantry::mllp {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

constexpr auto kTick = 250ms;
constexpr auto kIdleTick = 1s;
constexpr auto kLinger = 1s;
constexpr auto kAcceptPause = 100ms;
// The committer itself says after `store_wait` that there is no answer, unless it hangs.
constexpr auto kAnswerMargin = 2s;
constexpr std::size_t kReadSize = std::size_t{64} << 10U;

std::string to_text(const tcp::endpoint& endpoint) {
    const auto address = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
           std::to_string(endpoint.port());
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, port);
    return read.ec == std::errc{} && read.ptr == end ? std::optional(port) : std::nullopt;
}

Result<tcp::endpoint> parse_endpoint(const std::string& listen) {
    const auto colon = listen.rfind(':');
    if (colon == std::string::npos) {
        return invalid("mllp.listen", "host:port");
    }
    auto host = listen.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    if (host == "localhost") {
        host = "127.0.0.1";
    }
    error_code error;
    const auto address = asio::ip::make_address(host, error);
    const auto port = parse_port(listen.substr(colon + 1));
    if (error || !port) {
        return invalid("mllp.listen", "an IP address and a port, such as 0.0.0.0:2575");
    }
    return tcp::endpoint(address, *port);
}

Session::Limits session_limits(const Options& options) {
    Session::Limits limits;
    limits.framing = options.framing_policy();
    limits.frame.max_frame_bytes = static_cast<std::size_t>(options.max_frame_size.bytes);
    limits.max_in_flight = static_cast<std::size_t>(options.max_in_flight);
    limits.idle_timeout = options.idle_timeout;
    limits.read_timeout = options.read_timeout;
    limits.frame_timeout = options.frame_timeout;
    limits.write_timeout = options.write_timeout;
    limits.answer_timeout = options.store_wait + kAnswerMargin;
    return limits;
}

}  // namespace

class Listener::Impl {
public:
    Impl(const Options& options, hosting::Context& context, Committer& committer,
         const Intake& intake, ListenerMetrics& metrics)
        : options_(options),
          limits_(session_limits(options)),
          context_(context),
          committer_(committer),
          intake_(intake),
          metrics_(metrics),
          acceptor_(io_),
          tick_timer_(io_),
          accept_timer_(io_) {
        committer_.subscribe(
            {.completed =
                 [this](std::vector<Completion> done) {
                     asio::post(io_, [this, done = std::move(done)]() mutable { complete(done); });
                 },
             .store_changed = [this](bool) { asio::post(io_, [this] { resume(); }); }});
    }

    ~Impl() { end(); }

    Result<void> start() {
        const auto endpoint = TRY(parse_endpoint(options_.listen));
        error_code error;
        acceptor_.open(endpoint.protocol(), error);
        if (!error) {
            acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
        }
        if (!error) {
            acceptor_.bind(endpoint, error);
        }
        if (!error) {
            acceptor_.listen(asio::socket_base::max_listen_connections, error);
        }
        if (error) {
            return fail(Code::unavailable,
                        "cannot listen on " + options_.listen + ": " + error.message());
        }
        address_ = to_text(acceptor_.local_endpoint(error));
        heartbeat_ = context_.watchdog.watch("mllp-io");
        accept();
        schedule_tick();
        thread_ = std::jthread([this] {
            pthread_setname_np(pthread_self(), "mllp-io");
            run();
        });
        logging::info("listening", {{"server", "mllp"}, {"address", address_}});
        return {};
    }

    Result<void> stop(Deadline limit) {
        if (!thread_.joinable()) {
            return {};
        }
        // Frames that do not come to their end leave the rest of the time to the answers.
        const auto time = std::max<SteadyTime::duration>(limit.remaining(context_.clock), 0ms);
        const auto began = now();
        asio::post(io_, [this, cut_at = began + time * 2 / 3] { begin_drain(cut_at); });
        {
            std::unique_lock lock(mutex_);
            drained_signal_.wait_until(lock, began + std::max(time - 500ms, time / 2),
                                       [this] { return drained_; });
        }
        end();
        return {};
    }

    [[nodiscard]] std::string address() const { return address_; }

private:
    struct Connection {
        Connection(tcp::socket stream, std::uint64_t number, const Session::Limits& limits,
                   SteadyTime now)
            : socket(std::move(stream)), id(number), session(limits, now) {}
        tcp::socket socket;
        std::uint64_t id;
        Session session;
        std::string peer;
        std::string peer_ip;
        std::string output;
        std::size_t held = 0;  // what the session holds, as counted in buffered_
        std::shared_ptr<std::atomic<bool>> gave_up = std::make_shared<std::atomic<bool>>(false);
        bool waiting = false;
        bool writing = false;
        bool dropped = false;
        bool finishing = false;  // FIN is sent; the rest is read and dropped
        SteadyTime finish_by;
    };
    using ConnectionPtr = std::shared_ptr<Connection>;

    SteadyTime now() const { return context_.clock.steady_now(); }

    void run() {
        try {
            io_.run();
        } catch (const std::exception&) {
            // Such as no memory. What it says could hold data. Nobody gets an answer any more, so
            // nothing is lost; a new process starts clean.
            context_.lifetime.fault(
                "mllp", Error{Code::internal, "unexpected exception in the listener", {}, {}});
            const std::lock_guard lock(mutex_);
            drained_ = true;
            drained_signal_.notify_all();
        }
        heartbeat_->pause();
    }

    void accept() {
        acceptor_.async_accept([this](error_code error, tcp::socket socket) {
            if (error == asio::error::operation_aborted || draining_) {
                return;
            }
            if (error) {
                // Mostly too many open files: give some time for others to close.
                metrics_.refused_connection("accept_failed");
                accept_timer_.expires_after(kAcceptPause);
                accept_timer_.async_wait([this](error_code cancelled) {
                    if (!cancelled && !draining_) {
                        accept();
                    }
                });
                return;
            }
            admit(std::move(socket));
            relieve();
            accept();
        });
    }

    void admit(tcp::socket socket) {
        error_code error;
        const auto endpoint = socket.remote_endpoint(error);
        if (error) {
            return;  // it left again
        }
        const auto ip = endpoint.address().to_string();
        if (connections_.size() >= static_cast<std::size_t>(options_.max_connections)) {
            metrics_.refused_connection("total");
            return;
        }
        if (peers_[ip] >= options_.max_connections_per_peer) {
            metrics_.refused_connection("peer");
            return;
        }
        socket.non_blocking(true, error);
        socket.set_option(tcp::no_delay(true), error);
        socket.set_option(asio::socket_base::keep_alive(true), error);
        set_keepalive(socket.native_handle());
        const auto connection =
            std::make_shared<Connection>(std::move(socket), ++last_id_, limits_, now());
        connection->peer = to_text(endpoint);
        connection->peer_ip = ip;
        ++peers_[ip];
        connections_.emplace(connection->id, connection);
        metrics_.connections.set(static_cast<double>(connections_.size()));
        pump(connection);
    }

    static void set_keepalive(int handle) {
        const std::array<std::pair<int, int>, 3> settings{
            {{TCP_KEEPIDLE, 60}, {TCP_KEEPINTVL, 15}, {TCP_KEEPCNT, 4}}};
        for (const auto& [name, value] : settings) {
            setsockopt(handle, IPPROTO_TCP, name, &value, sizeof value);
        }
    }

    // Does everything that can be done for a connection now.
    void pump(const ConnectionPtr& connection) {
        auto& session = connection->session;
        if (connection->finishing || connection->dropped) {
            return;
        }
        while (session.has_next() && committer_.has_room(connection->id)) {
            handle(*connection, *session.next(now()));
        }
        recount(*connection);
        if (!connection->writing) {
            connection->output = session.take_output();
            if (!connection->output.empty()) {
                write(connection);
            }
        }
        if (session.done()) {
            finish(connection);
            return;
        }
        if (session.has_next() || (session.wants_bytes() && held())) {
            starved_ = true;
        } else if (session.wants_bytes()) {
            wait_readable(connection);
        }
    }

    void handle(Connection& connection, Session::Arrival arrival) {
        const auto bytes = arrival.event.bytes.size();
        auto decision = intake_.read(std::move(arrival.event), connection.peer);
        if (decision.message) {
            metrics_.received(intake_.code_label(decision.message->message_code), bytes);
            if (!submit(connection, arrival.sequence, std::move(*decision.message))) {
                connection.session.answer(arrival.sequence, {Answer::Kind::close, {}}, now());
            }
            return;
        }
        metrics_.received("other", bytes);
        metrics_.answered("other", decision.answer_code);
        if (decision.quarantine) {
            submit(connection, arrival.sequence, std::move(*decision.quarantine));
        }
        connection.session.answer(arrival.sequence, std::move(decision.answer), now());
    }

    template <class Item>
    bool submit(const Connection& connection, std::uint64_t sequence, Item item) {
        Work work{connection.id, sequence, now(), std::move(item), connection.gave_up};
        const auto bytes = work.bytes();
        if (!committer_.submit(std::move(work))) {
            return false;
        }
        in_flight_bytes_ += bytes;
        return true;
    }

    void complete(std::vector<Completion>& completions) {
        std::set<std::uint64_t> touched;
        for (auto& completion : completions) {
            in_flight_bytes_ -= std::min(in_flight_bytes_, completion.bytes);
            const auto found = connections_.find(completion.connection);
            if (found != connections_.end() && completion.answer) {
                found->second->session.answer(completion.sequence, std::move(*completion.answer),
                                              now());
                touched.insert(completion.connection);
            }
        }
        for (const auto id : touched) {
            if (const auto found = connections_.find(id); found != connections_.end()) {
                pump(ConnectionPtr(found->second));
            }
        }
        resume();
    }

    // Goes on with connections that found the store away, its queue full, or too much in memory,
    // now that this may have changed.
    void resume() {
        if (starved_) {
            starved_ = false;
            for (const auto& connection : all_connections()) {
                if (!connection->waiting) {
                    pump(connection);
                }
            }
        }
        relieve();
    }

    // Unfinished frames alone can fill the memory. None of them could end then, so the largest
    // gives way: its sender sends it again.
    void relieve() {
        while (over_budget() && in_flight_bytes_ == 0) {
            const auto largest = std::ranges::max_element(
                connections_, {}, [](const auto& entry) { return entry.second->held; });
            if (largest == connections_.end() || largest->second->held == 0) {
                return;
            }
            logging::warning("too many unfinished messages in memory; closing the largest",
                             {{"peer", largest->second->peer}, {"size", largest->second->held}});
            metrics_.closed_unanswered("memory");
            drop(ConnectionPtr(largest->second));
        }
    }

    [[nodiscard]] std::vector<ConnectionPtr> all_connections() const {
        std::vector<ConnectionPtr> all;
        all.reserve(connections_.size());
        for (const auto& [id, connection] : connections_) {
            all.push_back(connection);
        }
        return all;
    }

    // Whether we, not the peer, keep bytes from being read.
    [[nodiscard]] bool held() const { return !committer_.store_up() || over_budget(); }
    [[nodiscard]] bool over_budget() const {
        return held_bytes_ + in_flight_bytes_ >= options_.max_buffered_size.bytes;
    }

    void recount(Connection& connection) {
        const auto holds = connection.session.held_bytes();
        held_bytes_ = held_bytes_ - connection.held + holds;
        connection.held = holds;
        metrics_.buffered_bytes.set(static_cast<double>(held_bytes_ + in_flight_bytes_));
    }

    void wait_readable(const ConnectionPtr& connection) {
        if (connection->waiting) {
            return;
        }
        connection->waiting = true;
        connection->socket.async_wait(tcp::socket::wait_read, [this, connection](error_code error) {
            connection->waiting = false;
            if (error || connection->dropped) {
                return;
            }
            if (connection->finishing) {
                drop_rest(connection);
            } else if (connection->session.wants_bytes() && !held()) {
                read(connection);
            } else {
                starved_ = true;
            }
        });
    }

    void read(const ConnectionPtr& connection) {
        error_code error;
        const auto size = connection->socket.read_some(asio::buffer(read_buffer_), error);
        if (error == asio::error::would_block) {
            pump(connection);
            return;
        }
        if (error && error != asio::error::eof) {
            drop(connection);
            return;
        }
        if (error) {
            connection->session.peer_closed(now());
        } else {
            connection->session.received({read_buffer_.data(), size}, now());
        }
        if (const auto junk = connection->session.take_junk(); junk > 0) {
            metrics_.junk_bytes.increment(static_cast<double>(junk));
        }
        pump(connection);
        relieve();
    }

    void write(const ConnectionPtr& connection) {
        connection->writing = true;
        asio::async_write(connection->socket, asio::buffer(connection->output),
                          [this, connection](error_code error, std::size_t) {
                              connection->writing = false;
                              if (error) {
                                  drop(connection);
                                  return;
                              }
                              connection->session.sent(now());
                              pump(connection);
                          });
    }

    // Sends FIN and waits a little for the peer's, so that a reset does not overtake the answers.
    void finish(const ConnectionPtr& connection) {
        error_code error;
        connection->finishing = true;
        connection->finish_by = now() + kLinger;
        connection->socket.shutdown(tcp::socket::shutdown_send, error);
        if (error) {
            drop(connection);
            return;
        }
        wait_readable(connection);
    }

    void drop_rest(const ConnectionPtr& connection) {
        error_code error;
        connection->socket.read_some(asio::buffer(read_buffer_), error);
        if (error && error != asio::error::would_block) {
            drop(connection);
            return;
        }
        wait_readable(connection);
    }

    void drop(const ConnectionPtr& connection) {
        if (connections_.erase(connection->id) == 0) {
            return;
        }
        connection->dropped = true;
        held_bytes_ -= std::exchange(connection->held, 0);
        if (const auto peer = peers_.find(connection->peer_ip); --peer->second == 0) {
            peers_.erase(peer);
        }
        error_code ignored;
        connection->socket.close(ignored);
        metrics_.connections.set(static_cast<double>(connections_.size()));
        if (starved_ && !resuming_) {
            // Not from here: the caller may be in the midst of all connections.
            resuming_ = true;
            asio::post(io_, [this] {
                resuming_ = false;
                resume();
            });
        }
        check_drained();
    }

    void schedule_tick() {
        tick_timer_.expires_after(connections_.empty() ? std::chrono::milliseconds(kIdleTick)
                                                       : std::chrono::milliseconds(kTick));
        tick_timer_.async_wait([this](error_code cancelled) {
            if (!cancelled) {
                tick();
                schedule_tick();
            }
        });
    }

    void tick() {
        heartbeat_->beat();
        const bool out_of_time = draining_ && now() >= cut_at_;
        for (const auto& connection : all_connections()) {
            if (connection->finishing) {
                if (now() >= connection->finish_by) {
                    drop(connection);
                }
                continue;
            }
            if (out_of_time) {
                connection->session.cut(now());
            }
            const auto expiry = connection->session.tick(now(), held());
            if (expiry == Session::Expiry::write) {
                logging::debug("a peer does not take its answers", {{"peer", connection->peer}});
                drop(connection);
                continue;
            }
            if (expiry == Session::Expiry::answer) {
                connection->gave_up->store(true);
                metrics_.closed_unanswered("no_answer");
            }
            if (out_of_time || expiry != Session::Expiry::none || connection->session.has_next()) {
                pump(connection);
            }
        }
        relieve();
    }

    void begin_drain(SteadyTime cut_at) {
        draining_ = true;
        cut_at_ = cut_at;
        error_code ignored;
        acceptor_.close(ignored);
        for (const auto& connection : all_connections()) {
            connection->session.drain();
            pump(connection);
        }
        check_drained();
    }

    void check_drained() {
        if (draining_ && connections_.empty()) {
            const std::lock_guard lock(mutex_);
            drained_ = true;
            drained_signal_.notify_all();
        }
    }

    void end() {
        if (thread_.joinable()) {
            io_.stop();
            thread_.join();
        }
    }

    // Constant after construction.
    const Options& options_;
    Session::Limits limits_;
    hosting::Context& context_;
    Committer& committer_;
    const Intake& intake_;
    ListenerMetrics& metrics_;
    std::string address_;
    std::shared_ptr<health::Heartbeat> heartbeat_;
    // Used by the I/O thread only, once it runs.
    asio::io_context io_{1};
    tcp::acceptor acceptor_;
    asio::steady_timer tick_timer_;
    asio::steady_timer accept_timer_;
    std::unordered_map<std::uint64_t, ConnectionPtr> connections_;
    std::unordered_map<std::string, int> peers_;
    std::uint64_t last_id_ = 0;
    std::size_t held_bytes_ = 0;
    std::size_t in_flight_bytes_ = 0;
    bool starved_ = false;   // a connection has something to do and could not do it
    bool resuming_ = false;  // a `resume` is posted
    bool draining_ = false;
    SteadyTime cut_at_;  // when, draining, unfinished frames are given up
    std::array<char, kReadSize> read_buffer_{};
    // Guarded by mutex_.
    std::mutex mutex_;
    std::condition_variable drained_signal_;
    bool drained_ = false;
    // Must stay last: it uses everything above.
    std::jthread thread_;
};

Listener::Listener(const Options& options, hosting::Context& context, Committer& committer,
                   const Intake& intake, ListenerMetrics& metrics)
    : impl_(std::make_unique<Impl>(options, context, committer, intake, metrics)) {}
Listener::~Listener() = default;
Result<void> Listener::start(std::stop_token /*aborted*/) {
    return impl_->start();
}
Result<void> Listener::stop(Deadline limit) {
    return impl_->stop(limit);
}
std::string Listener::address() const {
    return impl_->address();
}

}  // namespace gantry::mllp
