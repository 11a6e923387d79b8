#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>
#include <sys/time.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

namespace gantry::testing {

struct Answer {
    int status = 0;  ///< 0: the connection ended without one.
    std::map<std::string, std::string> headers;
    std::string body;

    [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(body); }
    [[nodiscard]] std::string header(const std::string& name) const {
        const auto found = headers.find(name);
        return found == headers.end() ? std::string() : found->second;
    }
};

/// A client that sends exactly the bytes it is told to.
class RawClient {
public:
    explicit RawClient(const std::string& address) : socket_(io_) {
        const auto colon = address.rfind(':');
        socket_.connect({boost::asio::ip::make_address(address.substr(0, colon)),
                         static_cast<unsigned short>(std::stoi(address.substr(colon + 1)))});
        timeval limit{20, 0};
        setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }

    /// False if the peer has closed already.
    bool send(std::string_view bytes) {
        std::string_view rest = bytes;
        while (!rest.empty()) {
            const auto sent =
                ::send(socket_.native_handle(), rest.data(), rest.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return false;
            }
            rest.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    /// Reads one answer; `head_only` for the answer to HEAD.
    Answer read(bool head_only = false) {
        while (in_.find("\r\n\r\n") == std::string::npos) {
            if (!more()) {
                return {};
            }
        }
        Answer answer = parse_head();
        if (head_only || answer.status == 100 || answer.status == 204) {
            return answer;
        }
        const auto size = static_cast<std::size_t>(std::stoul(answer.header("content-length")));
        while (in_.size() < size) {
            if (!more()) {
                ADD_FAILURE() << "the answer ended early";
                return {};
            }
        }
        answer.body = in_.substr(0, size);
        in_.erase(0, size);
        return answer;
    }

    /// True if the peer closes within the time limit, sending nothing more.
    bool closed() { return in_.empty() && !more(); }

    void close() {
        boost::system::error_code ignored;
        socket_.close(ignored);
    }

private:
    bool more() {
        char bytes[16 * 1024];
        const auto size = ::recv(socket_.native_handle(), bytes, sizeof bytes, 0);
        if (size > 0) {
            in_.append(bytes, static_cast<std::size_t>(size));
        }
        return size > 0;
    }

    Answer parse_head() {
        Answer answer;
        const auto end = in_.find("\r\n\r\n");
        std::string head = in_.substr(0, end + 2);
        in_.erase(0, end + 4);
        answer.status = std::stoi(head.substr(9, 3));
        head.erase(0, head.find("\r\n") + 2);
        while (!head.empty()) {
            const auto line = head.substr(0, head.find("\r\n"));
            const auto colon = line.find(": ");
            std::string name = line.substr(0, colon);
            std::transform(name.begin(), name.end(), name.begin(),
                           [](char c) { return static_cast<char>(std::tolower(c)); });
            answer.headers[name] = line.substr(colon + 2);
            head.erase(0, line.size() + 2);
        }
        return answer;
    }

    boost::asio::io_context io_;
    boost::asio::ip::tcp::socket socket_;
    std::string in_;
};

/// The bytes of a request. `fields` are whole lines.
inline std::string request(std::string_view method, std::string_view target,
                           std::string_view body = {}, std::string_view fields = {}) {
    std::string out = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" +
                      std::string(fields);
    if (!body.empty()) {
        if (fields.find("Content-Type") == std::string_view::npos) {
            out += "Content-Type: application/json\r\n";
        }
        out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    return out + "\r\n" + std::string(body);
}

}  // namespace gantry::testing
