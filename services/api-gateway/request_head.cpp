#include "request_head.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace gantry::gateway {
namespace {

constexpr std::size_t kMostFields = 100;
constexpr std::size_t kLongestTarget = 8 * 1024;
constexpr std::size_t kLongestChunkLine = 256;
constexpr std::size_t kLongestTrailer = 4 * 1024;

bool is_token_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7F;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

std::unexpected<HttpFault> bad(std::string message, std::string reason = "MALFORMED_REQUEST",
                               int status = 400) {
    return std::unexpected(HttpFault{status, std::move(message), std::move(reason)});
}

// True if a comma-separated list holds `token`.
bool lists(std::string_view list, std::string_view token) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        if (same(trimmed(list.substr(0, comma)), token)) {
            return true;
        }
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    }
    return false;
}

class Reader {
public:
    std::expected<RequestHead, HttpFault> read(std::string_view text) {
        std::size_t fields = 0;
        for (bool first = true;; first = false) {
            const auto end = text.find("\r\n");
            const std::string_view line = text.substr(0, end);
            if (line.empty()) {
                break;
            }
            if (std::any_of(line.begin(), line.end(), is_control)) {
                return bad("The request's head holds a control character or a bare line break.");
            }
            if (!first && ++fields > kMostFields) {
                return bad("There are more than 100 header fields.", "TOO_MANY_HEADERS", 431);
            }
            if (auto fault = first ? request_line(line) : field(line)) {
                return std::unexpected(std::move(*fault));
            }
            text.remove_prefix(end + 2);
        }
        return finish();
    }

private:
    using Fault = std::optional<HttpFault>;

    static Fault fault(std::string message, std::string reason = "MALFORMED_REQUEST",
                       int status = 400) {
        return HttpFault{status, std::move(message), std::move(reason)};
    }

    Fault request_line(std::string_view line) {
        const auto first = line.find(' ');
        const auto last = line.rfind(' ');
        if (first == std::string_view::npos || first == last || line.find(' ', first + 1) != last) {
            return fault("The request line must be a method, a target and a version.");
        }
        const std::string_view version = line.substr(last + 1);
        if (version != "HTTP/1.1" && version != "HTTP/1.0") {
            const bool http = version.starts_with("HTTP/");
            return fault("The version must be HTTP/1.1 or HTTP/1.0.",
                         http ? "VERSION_NOT_SUPPORTED" : "MALFORMED_REQUEST", http ? 505 : 400);
        }
        head_.http_1_0 = version == "HTTP/1.0";
        head_.request.method = line.substr(0, first);
        if (!is_token(head_.request.method)) {
            return fault("The method must be a token.");
        }
        return target(line.substr(first + 1, last - first - 1));
    }

    Fault target(std::string_view target) {
        if (target.size() > kLongestTarget) {
            return fault("The target is longer than 8 KiB.", "TARGET_TOO_LONG", 414);
        }
        if (target.starts_with("http://") || target.starts_with("https://")) {
            const auto slash = target.find('/', target.find("//") + 2);
            target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
        }
        const bool visible = std::all_of(target.begin(), target.end(), [](char c) {
            return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7F;
        });
        if (target.empty() || (target.front() != '/' && target != "*") || !visible ||
            target.find('#') != std::string_view::npos) {
            return fault("The target must be a path, its other characters percent-encoded.");
        }
        const auto mark = target.find('?');
        head_.request.path = target.substr(0, mark);
        if (mark != std::string_view::npos) {
            head_.request.query = target.substr(mark + 1);
        }
        return {};
    }

    Fault field(std::string_view line) {
        if (line.front() == ' ' || line.front() == '\t') {
            return fault("A header field must not be folded over lines.");
        }
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
            return fault("A header field must be a token, a colon and a value.");
        }
        return field(line.substr(0, colon), trimmed(line.substr(colon + 1)));
    }

    Fault field(std::string_view name, std::string_view value) {
        HttpRequest& request = head_.request;
        if (same(name, "host")) {
            return once(hosts_++, "Host");
        }
        if (same(name, "content-length")) {
            return content_length(value);
        }
        if (same(name, "transfer-encoding")) {
            if (!same(value, "chunked") || head_.chunked) {
                return fault("Transfer-Encoding must be chunked, once.",
                             "TRANSFER_ENCODING_NOT_SUPPORTED");
            }
            head_.chunked = true;
        } else if (same(name, "connection")) {
            head_.close = head_.close || lists(value, "close");
            keep_alive_ = keep_alive_ || lists(value, "keep-alive");
        } else if (same(name, "expect")) {
            if (!same(value, "100-continue")) {
                return fault("Expect must be 100-continue.", "EXPECTATION_FAILED", 417);
            }
            head_.expect_continue = true;
        } else if (same(name, "content-type")) {
            request.content_type = value;
            return once(content_types_++, "Content-Type");
        } else if (same(name, "content-encoding")) {
            request.content_encoding = value;
            return once(encodings_++, "Content-Encoding");
        } else if (same(name, "idempotency-key")) {
            request.idempotency_key = value;
            return once(keys_++, "Idempotency-Key");
        } else if (same(name, "accept")) {
            // Several lines are one list. They are rare, and then the answer is not negotiated.
            request.accept = accepts_++ == 0 ? value : std::string_view{};
        } else if (same(name, "traceparent")) {
            request.traceparent = value;
        } else if (same(name, "tracestate")) {
            request.tracestate = value;
        }
        return {};
    }

    static Fault once(int before, std::string_view name) {
        if (before > 0) {
            return fault(std::string(name) + " must stand once.");
        }
        return {};
    }

    Fault content_length(std::string_view value) {
        std::uint64_t length = 0;
        const auto [end, error] =
            std::from_chars(value.data(), value.data() + value.size(), length);
        if (value.empty() || error != std::errc{} || end != value.data() + value.size() ||
            head_.content_length) {
            return fault("Content-Length must be one number.");
        }
        head_.content_length = length;
        return {};
    }

    std::expected<RequestHead, HttpFault> finish() {
        if (hosts_ == 0 && !head_.http_1_0) {
            return bad("Host is missing.");
        }
        if (head_.chunked && head_.content_length) {
            return bad("Content-Length and Transfer-Encoding exclude each other.");
        }
        if (head_.chunked && head_.http_1_0) {
            return bad("HTTP/1.0 has no Transfer-Encoding.");
        }
        if (head_.http_1_0 && !keep_alive_) {
            head_.close = true;
        }
        return std::move(head_);
    }

    RequestHead head_;
    bool keep_alive_ = false;
    int hosts_ = 0;
    int accepts_ = 0;
    int content_types_ = 0;
    int encodings_ = 0;
    int keys_ = 0;
};

}  // namespace

std::optional<std::size_t> find_head_end(std::string_view bytes) {
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    return end + 4;
}

std::expected<RequestHead, HttpFault> read_head(std::string_view text) {
    return Reader().read(text);
}

std::expected<std::size_t, HttpFault> ChunkedDecoder::take_line(std::string_view bytes) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) {
        if (bytes.size() > std::max(kLongestChunkLine, kLongestTrailer)) {
            return bad("A line of the chunked body is too long.");
        }
        return 0;
    }
    const std::string_view line = bytes.substr(0, end);
    if (line.empty() || line.back() != '\r' ||
        std::any_of(line.begin(), line.end() - 1, is_control)) {
        return bad("The chunked body is malformed: a line must end with CR LF.");
    }
    return end + 1;
}

std::optional<HttpFault> ChunkedDecoder::begin_chunk(std::string_view line) {
    const std::string_view digits = line.substr(0, line.find(';'));
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
        line.size() > kLongestChunkLine) {
        return HttpFault{400, "The chunked body is malformed: a chunk's size must be hexadecimal.",
                         "MALFORMED_REQUEST"};
    }
    state_ = left_ == 0 ? State::trailer : State::data;
    return std::nullopt;
}

std::expected<std::size_t, HttpFault> ChunkedDecoder::push(std::string_view bytes,
                                                           std::string& body) {
    std::size_t used = 0;
    while (state_ != State::done && used < bytes.size()) {
        const std::string_view rest = bytes.substr(used);
        if (state_ == State::data) {
            if (left_ > limit_ - std::min(limit_, body.size())) {
                return bad("The body is larger than " + std::to_string(limit_) + " bytes.",
                           "BODY_TOO_LARGE", 413);
            }
            const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
            body.append(rest.substr(0, size));
            used += size;
            left_ -= size;
            if (left_ == 0) {
                state_ = State::data_end;
            }
            continue;
        }
        auto taken = take_line(rest);
        if (!taken) {
            return taken;
        }
        if (*taken == 0) {
            return used;  // an incomplete line stays with the caller
        }
        const std::string_view line = rest.substr(0, *taken - 2);
        used += *taken;
        switch (state_) {
            case State::size:
                if (auto fault = begin_chunk(line)) {
                    return std::unexpected(std::move(*fault));
                }
                break;
            case State::data_end:
                if (!line.empty()) {
                    return bad("The chunked body is malformed: a chunk is longer than its size.");
                }
                state_ = State::size;
                break;
            case State::trailer:
                // Trailer fields are read over: no request needs them.
                trailer_bytes_ += *taken;
                if (line.empty()) {
                    state_ = State::done;
                } else if (trailer_bytes_ > kLongestTrailer) {
                    return bad("The trailer is longer than 4 KiB.", "TRAILER_TOO_LARGE", 431);
                }
                break;
            case State::data:
            case State::done:
                break;
        }
    }
    return used;
}

}  // namespace gantry::gateway
