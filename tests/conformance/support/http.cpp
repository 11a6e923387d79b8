#include "http.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <iterator>

namespace gantry::conformance {

Answer get(const std::string& address, const std::string& path) {
    const auto colon = address.rfind(':');
    boost::asio::ip::tcp::iostream stream;
    stream.expires_after(std::chrono::seconds{5});
    stream.connect(address.substr(0, colon), address.substr(colon + 1));
    stream << "GET " << path << " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
           << std::flush;
    const std::string all{std::istreambuf_iterator<char>(stream), {}};
    const auto head = all.find("\r\n\r\n");
    if (!all.starts_with("HTTP/1.1 ") || head == std::string::npos) {
        return {};
    }
    return {std::stoi(all.substr(9, 3)), all.substr(head + 4)};
}

}  // namespace gantry::conformance
