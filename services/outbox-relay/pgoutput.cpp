#include "pgoutput.hpp"

#include <charconv>
#include <cstdio>

namespace gantry::relay {
namespace {

/// Takes big-endian integers and strings off the front of bytes. After the first short read
/// everything is zero or empty and `ok()` is false, so that one check at the end is enough.
class Cursor {
public:
    explicit Cursor(std::string_view bytes) : rest_(bytes) {}

    std::uint64_t number(std::size_t size) {
        std::uint64_t value = 0;
        for (const char byte : take(size)) {
            value = value << 8 | static_cast<unsigned char>(byte);
        }
        return value;
    }
    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
    std::uint64_t u64() { return number(8); }
    std::int64_t i64() { return static_cast<std::int64_t>(number(8)); }

    std::string_view take(std::size_t size) {
        if (size > rest_.size()) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const auto taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }

    std::string_view text() {
        const auto end = rest_.find('\0');
        if (end == std::string_view::npos) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const auto taken = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return taken;
    }

    [[nodiscard]] std::string_view rest() const { return rest_; }
    [[nodiscard]] bool ok() const { return ok_; }
    void fail() { ok_ = false; }

private:
    std::string_view rest_;
    bool ok_ = true;
};

Begin read_begin(Cursor& cursor) {
    Begin begin;
    begin.final_lsn = cursor.u64();
    begin.commit_time = cursor.i64();
    begin.xid = cursor.u32();
    return begin;
}

Commit read_commit(Cursor& cursor) {
    cursor.u8();   // flags
    cursor.u64();  // LSN of the commit record
    Commit commit{cursor.u64()};
    cursor.u64();  // time, known from Begin
    return commit;
}

Relation read_relation(Cursor& cursor) {
    Relation relation;
    relation.id = cursor.u32();
    relation.schema = cursor.text();
    relation.name = cursor.text();
    cursor.u8();  // replica identity
    const auto count = cursor.u16();
    for (unsigned i = 0; i < count && cursor.ok(); ++i) {
        cursor.u8();  // flags
        relation.columns.emplace_back(cursor.text());
        cursor.u32();  // type
        cursor.u32();  // type modifier
    }
    return relation;
}

std::vector<Value> read_row(Cursor& cursor) {
    std::vector<Value> values;
    const auto count = cursor.u16();
    values.reserve(count);
    for (unsigned i = 0; i < count && cursor.ok(); ++i) {
        switch (cursor.u8()) {
            case 'n':
                values.push_back({Value::Kind::null, {}});
                break;
            case 'u':
                values.push_back({Value::Kind::unchanged, {}});
                break;
            case 't':
                values.push_back({Value::Kind::text, cursor.take(cursor.u32())});
                break;
            default:
                cursor.fail();
                break;  // binary values were not asked for
        }
    }
    return values;
}

LogicalMessage read_message(Cursor& cursor) {
    LogicalMessage message;
    message.transactional = (cursor.u8() & 1) != 0;
    message.lsn = cursor.u64();
    message.prefix = cursor.text();
    message.content = cursor.take(cursor.u32());
    return message;
}

std::unexpected<Error> malformed(char kind) {
    return gantry::fail(Code::data_loss,
                        std::string("a replication message of kind '") +
                            (kind >= ' ' && kind <= '~' ? kind : '?') + "' is malformed",
                        "BAD_STREAM");
}

}  // namespace

std::string format_lsn(Lsn lsn) {
    char text[32];
    std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(lsn >> 32),
                  static_cast<unsigned>(lsn & 0xffffffff));
    return text;
}

Result<Lsn> parse_lsn(std::string_view text) {
    const auto slash = text.find('/');
    const auto part = [](std::string_view digits, std::uint32_t& value) {
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        return error == std::errc{} && end == digits.data() + digits.size() && !digits.empty();
    };
    std::uint32_t high = 0;
    std::uint32_t low = 0;
    if (slash == std::string_view::npos || !part(text.substr(0, slash), high) ||
        !part(text.substr(slash + 1), low)) {
        return fail(Code::invalid_argument, "a WAL position is two hexadecimal numbers and a /");
    }
    return Lsn{high} << 32 | low;
}

std::optional<std::size_t> Relation::find(std::string_view column) const {
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns[i] == column) {
            return i;
        }
    }
    return std::nullopt;
}

Result<StreamEvent> PgoutputDecoder::decode(std::string_view bytes) {
    Cursor cursor(bytes);
    const auto kind = static_cast<char>(cursor.u8());
    const auto whole = [&](auto event) -> Result<StreamEvent> {
        if (!cursor.ok()) {
            return malformed(kind);
        }
        return Result<StreamEvent>(std::in_place, std::move(event));
    };
    switch (kind) {
        case 'B':
            return whole(read_begin(cursor));
        case 'C':
            return whole(read_commit(cursor));
        case 'M':
            return whole(read_message(cursor));
        case 'R': {
            auto relation = read_relation(cursor);
            if (cursor.ok()) {
                relations_.insert_or_assign(relation.id, std::move(relation));
            }
            return whole(Other{kind});
        }
        case 'I': {
            const auto found = relations_.find(cursor.u32());
            if (cursor.u8() != 'N') {
                return malformed(kind);
            }
            auto values = read_row(cursor);
            if (found == relations_.end() || values.size() != found->second.columns.size()) {
                return malformed(kind);
            }
            return whole(Insert{&found->second, std::move(values)});
        }
        // Types, origins and the changes that the publication leaves out.
        case 'Y':
        case 'O':
        case 'T':
        case 'U':
        case 'D':
            return whole(Other{kind});
        default:
            return malformed(kind);
    }
}

Result<WalMessage> decode_wal_message(std::string_view bytes) {
    Cursor cursor(bytes);
    const auto kind = static_cast<char>(cursor.u8());
    if (kind == 'w') {
        WalData data;
        data.start = cursor.u64();
        data.end = cursor.u64();
        cursor.u64();  // time of sending
        data.payload = cursor.rest();
        if (cursor.ok()) {
            return data;
        }
    } else if (kind == 'k') {
        Keepalive keepalive;
        keepalive.wal_end = cursor.u64();
        cursor.u64();  // time of sending
        keepalive.reply_requested = cursor.u8() != 0;
        if (cursor.ok()) {
            return keepalive;
        }
    }
    return malformed(kind);
}

std::string encode_status(Lsn flushed, PgTime now) {
    std::string bytes = "r";
    const auto put = [&bytes](std::uint64_t value) {
        for (int shift = 56; shift >= 0; shift -= 8) {
            bytes += static_cast<char>(value >> shift & 0xff);
        }
    };
    put(flushed);  // written
    put(flushed);
    put(flushed);  // applied
    put(static_cast<std::uint64_t>(now));
    bytes += '\0';  // no reply wanted
    return bytes;
}

}  // namespace gantry::relay
