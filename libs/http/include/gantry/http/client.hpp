#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::http {

/// An absolute http or https URL, taken apart.
struct Url {
    bool secure = false;
    std::string host;  ///< Without brackets.
    std::uint16_t port = 0;
    std::string target;  ///< Path and query, at least `/`.

    /// What goes into the header Host: the port only where it is not the scheme's own.
    [[nodiscard]] std::string authority() const;

    /// `invalid_argument` saying what is allowed. User information is refused: it would be logged.
    static Result<Url> parse(std::string_view text);
};

struct Request {
    std::string method = "POST";
    Url url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    milliseconds timeout{10'000};  ///< For everything, from the look-up of the name on.
};

struct Response {
    int status = 0;
    std::string retry_after;  ///< The header, or empty.
};

/// Sends HTTP requests. A seam: tests put their own in its place. Thread-safe.
class Client {
public:
    virtual ~Client() = default;

    /// Sends one request and waits for the answer, whose body is read (up to 64 KiB) and dropped.
    /// `deadline_exceeded` after the request's timeout, `cancelled` when `stop` fires,
    /// `unavailable` when the server cannot be reached or breaks off.
    virtual Result<Response> send(const Request& request, std::stop_token stop) = 0;
};

/// The client over the network, a connection a request; certificates are verified against the
/// system's roots.
std::unique_ptr<Client> make_client();

}  // namespace gantry::http
