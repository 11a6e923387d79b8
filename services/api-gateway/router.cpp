#include "router.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace gantry::gateway {

/// The end of one or more templates of the same shape and verb: a route per method.
struct Router::Leaf {
    struct Entry {
        std::size_t route;
        std::vector<PathTemplate::Variable> variables;
        std::size_t segments;  ///< Of the template, to tell how long a `**` was.
    };
    std::map<std::string, Entry, std::less<>> methods;
};

struct Router::Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::unique_ptr<Node> any;
    std::unique_ptr<Node> rest;
    std::map<std::string, Leaf, std::less<>> verbs;
};

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

Result<void> Router::add(std::string_view method, const PathTemplate& path, std::size_t route) {
    Node* node = root_.get();
    for (const PathTemplate::Segment& segment : path.segments) {
        std::unique_ptr<Node>* next = nullptr;
        switch (segment.kind) {
            case PathTemplate::Segment::Kind::literal:
                next = &node->literals[segment.text];
                break;
            case PathTemplate::Segment::Kind::any:
                next = &node->any;
                break;
            case PathTemplate::Segment::Kind::rest:
                next = &node->rest;
                break;
        }
        if (!*next) {
            *next = std::make_unique<Node>();
        }
        node = next->get();
    }
    Leaf::Entry entry{route, path.variables, path.segments.size()};
    const bool added =
        node->verbs[path.verb].methods.emplace(std::string(method), std::move(entry)).second;
    if (!added) {
        return fail(Code::already_exists,
                    std::string(method) + " has another route with a template of the same shape");
    }
    return {};
}

// One look-up: walks the tree depth first, best match first.
struct Router::Search {
    std::string_view method;
    std::vector<std::string_view> raw;
    std::vector<std::string> decoded;
    std::string_view verb;
    const Leaf::Entry* found = nullptr;
    std::set<std::string, std::less<>> allowed;

    /// True once a route was found.
    bool walk(const Node& node, std::size_t depth) {
        if (depth == raw.size()) {
            if (leaf(node)) {
                return true;
            }
        } else {
            if (const auto literal = node.literals.find(decoded[depth]);
                literal != node.literals.end() && walk(*literal->second, depth + 1)) {
                return true;
            }
            if (node.any && !raw[depth].empty() && walk(*node.any, depth + 1)) {
                return true;
            }
        }
        return node.rest && leaf(*node.rest);
    }

    bool leaf(const Node& node) {
        const auto leaf = node.verbs.find(verb);
        if (leaf == node.verbs.end()) {
            return false;
        }
        const auto& methods = leaf->second.methods;
        auto entry = methods.find(method);
        if (entry == methods.end() && method == "HEAD") {
            entry = methods.find("GET");
        }
        if (entry != methods.end()) {
            found = &entry->second;
            return true;
        }
        for (const auto& [name, ignored] : methods) {
            allowed.insert(name);
        }
        return false;
    }

    Result<std::vector<std::string>> variables() const {
        std::vector<std::string> values;
        for (const PathTemplate::Variable& variable : found->variables) {
            // A `**` may stand for any number of segments, and it is the template's last.
            const bool reaches_end = variable.first + variable.count == found->segments;
            const std::size_t end =
                reaches_end ? raw.size() : std::min(raw.size(), variable.first + variable.count);
            if (variable.count == 1 && end == variable.first + 1) {
                values.push_back(decoded[variable.first]);
                continue;
            }
            std::string value;
            for (std::size_t i = variable.first; i < end; ++i) {
                value += i == variable.first ? "" : "/";
                value += TRY(percent_decode(raw[i], Slash::keep));
            }
            values.push_back(std::move(value));
        }
        return values;
    }
};

namespace {

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> segments;
    path.remove_prefix(1);
    while (true) {
        const auto slash = path.find('/');
        segments.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos) {
            return segments;
        }
        path.remove_prefix(slash + 1);
    }
}

std::string joined(const std::set<std::string, std::less<>>& methods) {
    std::string text;
    for (const std::string& method : methods) {
        text += (text.empty() ? "" : ", ") + method;
        if (method == "GET") {
            text += ", HEAD";
        }
    }
    return text + ", OPTIONS";
}

}  // namespace

Result<Router::Match> Router::match(std::string_view method, std::string_view path) const {
    if (path.empty() || path.front() != '/') {
        return Match{};
    }
    Search search;
    search.method = method;
    const std::string_view last = path.substr(path.rfind('/'));
    // The verb is cut before decoding, so that an id may hold a colon as %3A.
    for (const auto colon : {last.rfind(':'), std::string_view::npos}) {
        const bool with_verb = colon != std::string_view::npos;
        if (!with_verb && search.found != nullptr) {
            break;
        }
        std::string_view rest = path;
        search.verb = {};
        if (with_verb) {
            search.verb = last.substr(colon + 1);
            rest.remove_suffix(last.size() - colon);
        }
        search.raw = split(rest);
        search.decoded.clear();
        for (const std::string_view segment : search.raw) {
            auto decoded = percent_decode(segment);
            if (!decoded) {
                return std::unexpected(std::move(decoded).error().with_context("path"));
            }
            search.decoded.push_back(std::move(*decoded));
        }
        if ((!with_verb || !search.verb.empty()) && search.walk(*root_, 0)) {
            return Match{Match::Kind::found, search.found->route, TRY(search.variables()), {}};
        }
    }
    if (!search.allowed.empty()) {
        return Match{Match::Kind::no_method, 0, {}, joined(search.allowed)};
    }
    return Match{};
}

}  // namespace gantry::gateway
