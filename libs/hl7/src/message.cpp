#include "gantry/hl7/message.hpp"

#include <algorithm>

namespace gantry::hl7 {
namespace {

constexpr std::size_t kNameLength = 3;

bool is_line_end(char c) {
    return c == '\r' || c == '\n';
}

// The part of `text` numbered `index` from 1 between `separator`s; `found` says whether it exists.
// Separator 0 means that nothing divides the text.
std::string_view nth(std::string_view text, char separator, unsigned index, bool& found) {
    found = true;
    for (; index > 1; --index) {
        const auto at = separator == '\0' ? std::string_view::npos : text.find(separator);
        if (at == std::string_view::npos) {
            found = false;
            return {};
        }
        text.remove_prefix(at + 1);
    }
    return separator == '\0' ? text : text.substr(0, text.find(separator));
}

bool has_own_delimiters(std::string_view name) {
    return name == "MSH" || name == "BHS" || name == "FHS";
}

bool may_delimit(char c) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter_or_digit =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return byte > 0x20 && byte < 0x7F && !letter_or_digit && c != '"';
}

std::unexpected<Error> bad_header(std::string what, std::string reason) {
    return fail(Code::invalid_argument, std::move(what), std::move(reason));
}

}  // namespace

std::string_view Segment::name() const {
    return bytes_.substr(0, bytes_.find(delimiters_->field));
}

std::string_view Segment::field(unsigned number) const {
    if (number == 0) {
        return {};
    }
    if (has_own_delimiters(name())) {
        if (number == 1) {
            return bytes_.substr(std::min(kNameLength, bytes_.size()), 1);
        }
        --number;
    }
    bool found = false;
    return nth(bytes_, delimiters_->field, number + 1, found);
}

Message::SegmentIterator::SegmentIterator(std::string_view rest, const Delimiters* delimiters)
    : rest_(rest), delimiters_(delimiters) {
    advance();
}

Message::SegmentIterator& Message::SegmentIterator::operator++() {
    advance();
    return *this;
}

void Message::SegmentIterator::advance() {
    while (!rest_.empty() && is_line_end(rest_.front())) {
        rest_.remove_prefix(1);
    }
    if (rest_.empty()) {
        current_ = {};
        return;
    }
    const auto end = std::min(rest_.find('\r'), rest_.size());
    current_ = rest_.substr(0, end);
    current_ = current_.substr(0, current_.find('\n'));
    rest_.remove_prefix(current_.size());
}

Result<Message> Message::parse(std::string_view bytes) {
    if (!bytes.starts_with("MSH")) {
        return bad_header("the message does not begin with MSH", "NO_MSH");
    }
    auto header = bytes.substr(0, bytes.find('\r'));
    header = header.substr(0, header.find('\n'));
    if (header.size() < 8) {
        return bad_header("MSH ends before its encoding characters", "MSH_TOO_SHORT");
    }
    if (header.find('\x0B') != std::string_view::npos ||
        header.find('\x1C') != std::string_view::npos) {
        return bad_header("MSH holds block characters", "MSH_CONTROL_CHARACTERS");
    }
    Delimiters delimiters;
    delimiters.field = header[3];
    const auto encoding = header.substr(4, header.find(delimiters.field, 4) - 4);
    if (encoding.empty() || encoding.size() > 5) {
        return bad_header("MSH-2 has to hold one to five encoding characters", "MSH_DELIMITERS");
    }
    const auto at = [&](std::size_t i) { return i < encoding.size() ? encoding[i] : '\0'; };
    delimiters.component = at(0);
    delimiters.repetition = at(1);
    delimiters.escape = at(2);
    delimiters.subcomponent = at(3);
    delimiters.truncation = at(4);
    std::string all{delimiters.field};
    all += encoding;
    std::ranges::sort(all);
    if (!std::ranges::all_of(all, may_delimit) || std::ranges::adjacent_find(all) != all.end()) {
        return bad_header("the delimiters have to be different punctuation characters",
                          "MSH_DELIMITERS");
    }
    return Message(bytes, delimiters);
}

Value Message::get(Path path) const {
    unsigned occurrence = 0;
    for (const Segment segment : segments()) {
        if (segment.name() != path.segment() || ++occurrence != path.occurrence()) {
            continue;
        }
        auto raw = segment.field(path.field());
        // The delimiters themselves are not divided by themselves.
        const bool literal = path.field() <= 2 && has_own_delimiters(path.segment());
        bool found = true;
        if (!literal && (path.repetition() != 0 || path.component() != 0)) {
            raw = nth(raw, delimiters_.repetition, std::max(path.repetition(), 1U), found);
        }
        if (!literal && found && path.component() != 0) {
            raw = nth(raw, delimiters_.component, path.component(), found);
        }
        if (!literal && found && path.subcomponent() != 0) {
            raw = nth(raw, delimiters_.subcomponent, path.subcomponent(), found);
        }
        if (!found || raw.empty()) {
            return {};
        }
        return {raw == "\"\"" ? Value::Kind::null : Value::Kind::text, raw};
    }
    return {};
}

std::string Message::text(Path path) const {
    return unescape(get(path).text(), delimiters_);
}

}  // namespace gantry::hl7
