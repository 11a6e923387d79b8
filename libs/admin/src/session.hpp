#pragma once

#include "gantry/hosting/context.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>

namespace gantry::admin {

/// How much of the port clients may take up.
struct Limits {
    std::size_t connections = 128;
    std::chrono::milliseconds request{5'000};  ///< For one request, once its first byte is due.
    std::chrono::milliseconds idle{75'000};    ///< Between requests: longer than a scrape interval.
};

class Session;
using Sessions = std::list<std::shared_ptr<Session>>;

/// One connection: reads a request, answers, and again while the peer keeps it alive. Lives on the
/// server's thread; the server's list owns it, and it leaves the list when it ends.
class Session {
public:
    static std::shared_ptr<Session> create(boost::asio::ip::tcp::socket socket,
                                           const hosting::Context& context, const Limits& limits,
                                           Sessions& sessions);
    virtual ~Session() = default;

    /// Begins to read; `place` is the session's own in the list.
    virtual void start(Sessions::iterator place) = 0;
    /// True between requests, when closing costs the peer nothing.
    [[nodiscard]] virtual bool idle() const = 0;
    /// Ends at once if idle, else with the answer that is under way.
    virtual void finish() = 0;
    virtual void close() = 0;
};

}  // namespace gantry::admin
