#include "path_template.hpp"

#include "gantry/base/encoding.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace gantry::gateway {
namespace {

using Segment = PathTemplate::Segment;

bool is_literal_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

bool is_field_char(char c) {
    return is_literal_char(c) && c != '-' && c != '~';
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

// Reads the grammar at the top of google/api/http.proto: Template = "/" Segments [ ":" LITERAL ].
class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<PathTemplate> parse() {
        TRY(expect('/'));
        TRY(segments(InVariable::no));
        if (take(':')) {
            out_.verb = TRY(literal());
        }
        if (at_ != text_.size()) {
            return error("a '/', ':' or the end was expected");
        }
        return std::move(out_);
    }

private:
    enum class InVariable { no, yes };

    std::unexpected<Error> error(std::string_view what) const {
        return fail(Code::invalid_argument, "path template '" + std::string(text_) +
                                                "', position " + std::to_string(at_) + ": " +
                                                std::string(what));
    }

    bool take(char c) {
        if (at_ < text_.size() && text_[at_] == c) {
            ++at_;
            return true;
        }
        return false;
    }

    Result<void> expect(char c) {
        if (!take(c)) {
            return error(std::string("'") + c + "' was expected");
        }
        return {};
    }

    Result<std::string> literal() {
        const std::size_t start = at_;
        while (at_ < text_.size() && is_literal_char(text_[at_])) {
            ++at_;
        }
        if (at_ == start) {
            return error("a literal of A-Z a-z 0-9 - _ . ~ was expected");
        }
        return std::string(text_.substr(start, at_ - start));
    }

    Result<void> segments(InVariable in_variable) {
        do {
            if (!out_.segments.empty() && out_.segments.back().kind == Segment::Kind::rest) {
                return error("'**' must be the last segment");
            }
            TRY(segment(in_variable));
        } while (take('/'));
        return {};
    }

    Result<void> segment(InVariable in_variable) {
        if (take('*')) {
            const auto kind = take('*') ? Segment::Kind::rest : Segment::Kind::any;
            out_.segments.push_back({kind, {}});
            return {};
        }
        if (in_variable == InVariable::no && take('{')) {
            return variable();
        }
        out_.segments.push_back({Segment::Kind::literal, TRY(literal())});
        return {};
    }

    Result<void> variable() {
        const std::size_t start = at_;
        while (at_ < text_.size() && is_field_char(text_[at_])) {
            ++at_;
        }
        PathTemplate::Variable variable;
        variable.field_path = text_.substr(start, at_ - start);
        variable.first = out_.segments.size();
        if (variable.field_path.empty()) {
            return error("a field was expected");
        }
        for (const auto& other : out_.variables) {
            if (other.field_path == variable.field_path) {
                return error("the field '" + other.field_path + "' is bound twice");
            }
        }
        if (take('=')) {
            TRY(segments(InVariable::yes));
        } else {
            out_.segments.push_back({Segment::Kind::any, {}});
        }
        variable.count = out_.segments.size() - variable.first;
        out_.variables.push_back(std::move(variable));
        return expect('}');
    }

    std::string_view text_;
    std::size_t at_ = 0;
    PathTemplate out_;
};

}  // namespace

Result<PathTemplate> PathTemplate::parse(std::string_view text) {
    return Parser(text).parse();
}

Result<std::string> percent_decode(std::string_view text, Slash slash) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return fail(Code::invalid_argument, "'%' must be followed by two hexadecimal digits");
        }
        const char byte = static_cast<char>(high * 16 + low);
        if (byte == '/' && slash == Slash::keep) {
            out += text.substr(i, 3);
        } else {
            out += byte;
        }
        i += 2;
    }
    if (!is_utf8(out)) {
        return fail(Code::invalid_argument, "must be UTF-8 once decoded");
    }
    return out;
}

}  // namespace gantry::gateway
