// The message view, escapes and acknowledgements: no bytes make them throw, every view points into
// the input, and an acknowledgement of a readable message is itself readable.

#include "gantry/base/ensure.hpp"
#include "gantry/hl7/acknowledgement.hpp"
#include "gantry/hl7/charset.hpp"
#include "gantry/hl7/message.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

using namespace gantry::hl7;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const AckIdentity own{.control_id = "1", .time = {}};
    static_cast<void>(Path::parse(bytes));
    const auto message = Message::parse(bytes);
    if (!message) {
        return 0;
    }
    const auto inside = [&](std::string_view view) {
        ENSURE(view.empty() || (view.data() >= bytes.data() &&
                                view.data() + view.size() <= bytes.data() + bytes.size()),
               "a view outside the message");
    };
    std::size_t total = 0;
    for (const Segment segment : message->segments()) {
        inside(segment.bytes());
        inside(segment.name());
        total += segment.bytes().size();
        for (const unsigned field : {0U, 1U, 2U, 3U, 9U, 60U}) {
            inside(segment.field(field));
        }
    }
    ENSURE(total <= bytes.size(), "segments overlap");
    for (const Path path :
         {Path("MSH-9.2"), Path("PID-3[1].4"), Path("PID[2]-3[2].4.2"), Path("MSH-2.1")}) {
        inside(message->get(path).raw);
        static_cast<void>(message->text(path));
    }
    const auto& delimiters = message->delimiters();
    ENSURE(unescape(escape(bytes, delimiters), delimiters) == bytes || delimiters.escape == '\0',
           "an escape does not round-trip");

    const auto header = Header::of(*message);
    static_cast<void>(decode(bytes, charset_of(header.character_set, Charset::latin1)));
    const auto faults = check_header(header, {.message_types = {"ADT^A01"}});
    if (const auto code = ack_code(header, faults)) {
        const auto ack = build_ack(header, *code, faults, own);
        const auto answer = Message::parse(ack);
        ENSURE(answer.has_value(), "an unreadable acknowledgement");
        const auto answered = Header::of(*answer);
        ENSURE(answered.receiving_application == header.sending_application, "wrong receiver");
        ENSURE(answer->get("MSA-2").raw == header.control_id, "another control id");
    }
    return 0;
}
