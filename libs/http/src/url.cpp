#include "gantry/http/client.hpp"

#include <algorithm>
#include <charconv>

namespace gantry::http {

std::string Url::authority() const {
    const bool literal = host.find(':') != std::string::npos;
    std::string text = literal ? "[" + host + "]" : host;
    if (port != (secure ? 443 : 80)) {
        text += ":" + std::to_string(port);
    }
    return text;
}

Result<Url> Url::parse(std::string_view text) {
    const auto refuse = [] {
        return fail(Code::invalid_argument,
                    "must be http://host[:port]/path or https://host[:port]/path");
    };
    Url url;
    if (text.starts_with("https://")) {
        url.secure = true;
        text.remove_prefix(8);
    } else if (text.starts_with("http://")) {
        text.remove_prefix(7);
    } else {
        return refuse();
    }
    url.port = url.secure ? 443 : 80;
    const auto authority = text.substr(0, text.find_first_of("/?#"));
    text.remove_prefix(authority.size());
    url.target = std::string(text.substr(0, text.find('#')));
    if (!url.target.starts_with('/')) {
        url.target = "/" + url.target;
    }
    const bool visible =
        std::ranges::all_of(url.target, [](char c) { return c > ' ' && c <= '~'; }) &&
        std::ranges::all_of(authority, [](char c) { return c > ' ' && c <= '~' && c != '@'; });
    auto host = authority;
    auto port = std::string_view();
    if (host.starts_with('[')) {
        const auto end = host.find(']');
        if (end == std::string_view::npos) {
            return refuse();
        }
        port = host.substr(end + 1);
        host = host.substr(1, end - 1);
    } else if (const auto colon = host.find(':'); colon != std::string_view::npos) {
        port = host.substr(colon);
        host = host.substr(0, colon);
    }
    if (!port.empty()) {
        const auto [end, error] =
            std::from_chars(port.data() + 1, port.data() + port.size(), url.port);
        if (port.front() != ':' || error != std::errc{} || end != port.data() + port.size() ||
            url.port == 0) {
            return refuse();
        }
    }
    if (host.empty() || !visible) {
        return refuse();
    }
    url.host = std::string(host);
    return url;
}

}  // namespace gantry::http
