#include "snapshot.hpp"

#include <algorithm>
#include <charconv>

namespace gantry::relay {
namespace {

bool read_number(std::string_view& text, std::uint64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) {
        return false;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

bool skip(std::string_view& text, char expected) {
    if (text.empty() || text.front() != expected) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

std::string join(const std::vector<std::uint64_t>& numbers) {
    std::string text;
    for (const auto number : numbers) {
        text += (text.empty() ? "" : ",") + std::to_string(number);
    }
    return text;
}

}  // namespace

Result<Snapshot> Snapshot::parse(std::string_view text) {
    Snapshot snapshot;
    bool ok = read_number(text, snapshot.xmin) && skip(text, ':') &&
              read_number(text, snapshot.xmax) && skip(text, ':');
    while (ok && !text.empty()) {
        std::uint64_t xid = 0;
        ok = (snapshot.in_progress.empty() || skip(text, ',')) && read_number(text, xid);
        snapshot.in_progress.push_back(xid);
    }
    if (!ok || snapshot.xmin > snapshot.xmax ||
        !std::is_sorted(snapshot.in_progress.begin(), snapshot.in_progress.end())) {
        return fail(Code::data_loss, "a snapshot is not of the form xmin:xmax:xip,…");
    }
    return snapshot;
}

std::string Snapshot::to_string() const {
    return std::to_string(xmin) + ":" + std::to_string(xmax) + ":" + join(in_progress);
}

bool Snapshot::sees(std::uint64_t xid) const {
    return xid < xmin ||
           (xid < xmax && !std::binary_search(in_progress.begin(), in_progress.end(), xid));
}

std::string Snapshot::in_progress_array() const {
    return "{" + join(in_progress) + "}";
}

}  // namespace gantry::relay
