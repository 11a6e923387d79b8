#pragma once

#include "gantry/base/result.hpp"
#include "gantry/hl7/path.hpp"

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

namespace gantry::hl7 {

/// The characters that divide a message (MSH-1 and MSH-2; HL7 v2.9 chapter 2.5.4). 0 where the
/// sender names none.
struct Delimiters {
    char field = '|';
    char component = '^';
    char repetition = '~';
    char escape = '\\';
    char subcomponent = '&';
    char truncation = '\0';

    friend bool operator==(const Delimiters&, const Delimiters&) = default;
};

/// What a place in a message holds. HL7 tells "not sent" (keep what you have) from the null `""`
/// (delete what you have).
struct Value {
    enum class Kind { absent, null, text };
    Kind kind = Kind::absent;
    std::string_view raw;  ///< As received, escapes and all. Points into the message's bytes.

    [[nodiscard]] bool has_text() const { return kind == Kind::text; }
    /// `raw`, but empty for the null.
    [[nodiscard]] std::string_view text() const { return has_text() ? raw : std::string_view{}; }
};

/// One segment: a view of a message's bytes.
class Segment {
public:
    Segment(std::string_view bytes, const Delimiters* delimiters)
        : bytes_(bytes), delimiters_(delimiters) {}

    /// What stands before the first field separator.
    [[nodiscard]] std::string_view name() const;
    [[nodiscard]] std::string_view bytes() const { return bytes_; }

    /// Field `number` from 1, as received with all repetitions; empty where there is none. In MSH
    /// (and BHS, FHS) field 1 is the field separator itself and field 2 the encoding characters.
    [[nodiscard]] std::string_view field(unsigned number) const;

private:
    std::string_view bytes_;
    const Delimiters* delimiters_;
};

/// A read-only view of one HL7 v2 message. Nothing is copied and only what is asked for is parsed;
/// the bytes must outlive the message. No bytes whatever make it throw, and no error repeats them.
/// Thread-safe: it never changes.
class Message {
public:
    /// Segments end with CR, and with LF or CRLF from senders that do not know better.
    class SegmentIterator {
    public:
        using iterator_category = std::forward_iterator_tag;
        using value_type = Segment;
        using difference_type = std::ptrdiff_t;
        using pointer = void;
        using reference = Segment;

        SegmentIterator() = default;
        SegmentIterator(std::string_view rest, const Delimiters* delimiters);

        Segment operator*() const { return {current_, delimiters_}; }
        SegmentIterator& operator++();
        SegmentIterator operator++(int) {
            auto old = *this;
            ++*this;
            return old;
        }
        friend bool operator==(const SegmentIterator& a, const SegmentIterator& b) {
            return a.current_.data() == b.current_.data();
        }

    private:
        void advance();

        std::string_view current_;
        std::string_view rest_;
        const Delimiters* delimiters_ = nullptr;
    };

    struct Segments {
        SegmentIterator first;
        [[nodiscard]] SegmentIterator begin() const { return first; }
        [[nodiscard]] static SegmentIterator end() { return {}; }
    };

    /// Reads the delimiters. `invalid_argument` with a reason such as `MSH_TOO_SHORT` where `bytes`
    /// do not begin with a usable MSH.
    static Result<Message> parse(std::string_view bytes);

    [[nodiscard]] std::string_view bytes() const { return bytes_; }
    [[nodiscard]] const Delimiters& delimiters() const { return delimiters_; }

    /// The segments in order, without empty lines. The range must not outlive the message.
    [[nodiscard]] Segments segments() const { return {SegmentIterator(bytes_, &delimiters_)}; }

    /// What `path` names, as received.
    [[nodiscard]] Value get(Path path) const;

    /// What `path` names with its escapes resolved; empty for absent and null. Bytes, not
    /// characters: see `decode` in charset.hpp.
    [[nodiscard]] std::string text(Path path) const;

private:
    Message(std::string_view bytes, Delimiters delimiters)
        : bytes_(bytes), delimiters_(delimiters) {}

    std::string_view bytes_;
    Delimiters delimiters_;
};

/// Resolves `\F\ \S\ \T\ \R\ \E\ \P\`, `\Xdd..\` and `\.br\` (a CR); drops `\H\` and `\N\`. Every
/// other sequence, and one that is not closed, stays as it is (HL7 v2.9 chapter 2.7).
std::string unescape(std::string_view raw, const Delimiters& delimiters);

/// The inverse: writes delimiters as their sequences and control characters as `\Xdd\`, so that
/// `unescape(escape(text)) == text` for any bytes where an escape character is defined.
std::string escape(std::string_view text, const Delimiters& delimiters);

}  // namespace gantry::hl7
