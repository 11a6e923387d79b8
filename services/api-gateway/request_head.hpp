#pragma once

#include "http_message.hpp"

#include "gantry/base/result.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::gateway {

/// Why a request cannot be read. The connection ends after the answer, for what follows could be
/// anything.
struct HttpFault {
    int status = 400;
    std::string message;
    std::string reason;
};

/// A request's line and header fields, as views of the text that was read.
struct RequestHead {
    HttpRequest request;  ///< Without a body.
    bool http_1_0 = false;
    bool close = false;            ///< The client wants the connection closed.
    bool expect_continue = false;  ///< The client waits for 100 before the body.
    bool chunked = false;
    std::optional<std::uint64_t> content_length;  ///< Never beside `chunked`.
};

/// The end of a head in `bytes`, behind its empty line; nothing while it is incomplete.
std::optional<std::size_t> find_head_end(std::string_view bytes);

/// Reads a whole head, which ends with an empty line.
///
/// Stricter than RFC 9112 allows, so that no proxy in front can see another request in the same
/// bytes: no folded lines, no blank before a colon, no bare CR or LF, no control characters, one
/// Host, one Content-Length of digits, no Transfer-Encoding but `chunked`, never both.
std::expected<RequestHead, HttpFault> read_head(std::string_view text);

/// Decodes a chunked body as it comes. Not thread-safe.
class ChunkedDecoder {
public:
    explicit ChunkedDecoder(std::size_t limit) : limit_(limit) {}

    /// Takes what it can from the front of `bytes` and returns how much, appending data to `body`.
    /// A fault for malformed framing (400) or more data than the limit (413).
    std::expected<std::size_t, HttpFault> push(std::string_view bytes, std::string& body);

    [[nodiscard]] bool done() const { return state_ == State::done; }

private:
    enum class State { size, data, data_end, trailer, done };

    std::expected<std::size_t, HttpFault> take_line(std::string_view bytes);
    std::optional<HttpFault> begin_chunk(std::string_view line);

    std::size_t limit_;
    State state_ = State::size;
    std::uint64_t left_ = 0;
    std::size_t trailer_bytes_ = 0;
};

}  // namespace gantry::gateway
