#include "json_reader.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace gantry::gateway {
namespace {

using nlohmann::json;

// Where the next value goes: into a message itself, into its field, or into a new element of that.
struct Slot {
    Message* message = nullptr;
    const FieldDescriptor* field = nullptr;
    bool element = false;
};

struct Frame {
    enum class Kind { object, list, map };
    Kind kind = Kind::object;
    Message* message = nullptr;              // object: itself; list, map: the one that has `field`
    const FieldDescriptor* field = nullptr;  // object: of the current key, null if unknown
    std::set<std::string> keys;              // seen so far, in JSON's spelling
    std::set<const void*> oneofs;            // those of which a member was seen
    std::string key;                         // the current one
    std::size_t index = 0;                   // list: of the next element
};

// A position as people count it.
std::string place(std::string_view text, std::size_t offset) {
    const std::string_view before = text.substr(0, offset);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto start = before.rfind('\n');
    const auto column = start == std::string_view::npos ? before.size() : before.size() - start - 1;
    return "line " + std::to_string(line) + ", column " +
           std::to_string(std::max<std::size_t>(column, 1));
}

// The parser's own words quote the input, which may be personal data, so only their kind is used.
std::string_view syntax_problem(std::string_view what) {
    const auto says = [what](std::string_view words) {
        return what.find(words) != std::string_view::npos;
    };
    if (says("surrogate")) {
        return "holds half of a surrogate pair";
    }
    if (says("UTF-8")) {
        return "is not UTF-8";
    }
    if (says("number overflow")) {
        return "holds a number that is too large";
    }
    if (says("control character")) {
        return "holds a control character that is not escaped";
    }
    if (says("unexpected end of input") || says("missing closing quote")) {
        return "ends too early";
    }
    if (says("expected end of input")) {
        return "goes on after its value";
    }
    return "is not JSON";
}

// Takes the parser's events and fills the message as they come.
class Reader final : public nlohmann::json_sax<json> {
public:
    Reader(std::string_view text, Message& message, const FieldDescriptor* field,
           const JsonLimits& limits)
        : text_(text), limits_(limits), root_{&message, field, false} {}

    std::vector<FieldViolation> faults() && { return std::move(faults_); }

    bool null() override {
        if (skipping() || unknown()) {
            return true;
        }
        const Slot slot = next();
        if (slot.element) {
            blame("must not be null");
        } else if (slot.field == nullptr) {
            blame("must be an object");
        }
        advance();
        return true;
    }
    bool boolean(bool value) override {
        return scalar(
            [&](const Slot& slot) { return set_from_boolean(*slot.message, *slot.field, value); });
    }
    bool number_integer(number_integer_t value) override {
        return scalar(
            [&](const Slot& slot) { return set_from_integer(*slot.message, *slot.field, value); });
    }
    bool number_unsigned(number_unsigned_t value) override {
        return scalar(
            [&](const Slot& slot) { return set_from_unsigned(*slot.message, *slot.field, value); });
    }
    bool number_float(number_float_t value, const string_t&) override {
        return scalar(
            [&](const Slot& slot) { return set_from_real(*slot.message, *slot.field, value); });
    }
    bool string(string_t& value) override {
        return scalar(
            [&](const Slot& slot) { return set_from_text(*slot.message, *slot.field, value); });
    }
    bool binary(binary_t&) override { return false; }

    bool start_object(std::size_t) override {
        if (!enter()) {
            return false;
        }
        if (skipping() || unknown()) {
            ++skip_;
            return true;
        }
        const Slot slot = next();
        if (slot.field == nullptr) {
            push(Frame::Kind::object, slot.message, nullptr);
        } else if (slot.field->is_map() && !slot.element) {
            push(Frame::Kind::map, slot.message, slot.field);
        } else if (is_scalar(*slot.field) || (slot.field->is_repeated() && !slot.element)) {
            refuse(slot);
            ++skip_;
        } else {
            const auto& reflection = *slot.message->GetReflection();
            push(Frame::Kind::object,
                 slot.element ? reflection.AddMessage(slot.message, slot.field)
                              : reflection.MutableMessage(slot.message, slot.field),
                 nullptr);
        }
        return true;
    }

    bool key(string_t& name) override {
        if (skipping()) {
            return true;
        }
        Frame& frame = frames_.back();
        frame.key = name;
        if (frame.kind == Frame::Kind::map) {
            if (!frame.keys.insert(name).second) {
                blame("stands here twice");
            }
            return true;
        }
        frame.field = find_field(*frame.message->GetDescriptor(), name);
        if (frame.field == nullptr) {
            if (name.size() > 100) {
                frame.key = name.substr(0, 100);
            }
            blame(unknown_field(*frame.message->GetDescriptor(), name));
            return true;
        }
        frame.key = frame.field->json_name();
        if (!frame.keys.insert(frame.key).second) {
            blame("stands here twice");
        } else if (const auto* oneof = frame.field->real_containing_oneof();
                   oneof != nullptr && !frame.oneofs.insert(oneof).second) {
            blame("excludes another field of " + oneof->name() + " that is here, too");
        }
        return true;
    }

    bool end_object() override { return leave(); }

    bool start_array(std::size_t) override {
        if (!enter()) {
            return false;
        }
        if (skipping() || unknown()) {
            ++skip_;
            return true;
        }
        const Slot slot = next();
        if (slot.field == nullptr || slot.element || slot.field->is_map() ||
            !slot.field->is_repeated()) {
            refuse(slot);
            ++skip_;
        } else {
            push(Frame::Kind::list, slot.message, slot.field);
        }
        return true;
    }

    bool end_array() override { return leave(); }

    bool parse_error(std::size_t position, const std::string&,
                     const json::exception& error) override {
        std::string field = path();
        faults_.insert(faults_.begin(),
                       {field.empty() ? "body" : field, std::string(syntax_problem(error.what())) +
                                                            " (" + place(text_, position) + ")"});
        return false;
    }

private:
    [[nodiscard]] bool skipping() const { return skip_ > 0; }

    // The value of a key that was already refused.
    [[nodiscard]] bool unknown() const {
        return !frames_.empty() && frames_.back().kind == Frame::Kind::object &&
               frames_.back().field == nullptr;
    }

    bool enter() {
        if (++depth_ > limits_.depth) {
            faults_.insert(
                faults_.begin(),
                {"body", "is nested deeper than " + std::to_string(limits_.depth) + " levels"});
            return false;
        }
        return true;
    }

    bool leave() {
        --depth_;
        if (skip_ > 0) {
            --skip_;
        } else {
            frames_.pop_back();
        }
        if (skip_ == 0) {
            advance();
        }
        return true;
    }

    void push(Frame::Kind kind, Message* message, const FieldDescriptor* field) {
        Frame frame;
        frame.kind = kind;
        frame.message = message;
        frame.field = field;
        frames_.push_back(std::move(frame));
    }

    // Where the value that comes now belongs.
    Slot next() {
        if (frames_.empty()) {
            return root_;
        }
        Frame& frame = frames_.back();
        switch (frame.kind) {
            case Frame::Kind::object:
                return {frame.message, frame.field, false};
            case Frame::Kind::list:
                return {frame.message, frame.field, true};
            case Frame::Kind::map:
                break;
        }
        return map_value(frame);
    }

    Slot map_value(Frame& frame) {
        Message& entry = *frame.message->GetReflection()->AddMessage(frame.message, frame.field);
        const Descriptor& type = *frame.field->message_type();
        if (!set_from_text(entry, *type.map_key(), frame.key)) {
            blame("has a key that " + allowed(*type.map_key()));
        }
        return {&entry, type.map_value(), false};
    }

    // After a whole value.
    void advance() {
        if (!frames_.empty() && frames_.back().kind == Frame::Kind::list) {
            ++frames_.back().index;
        }
    }

    template <class Set>
    bool scalar(Set set) {
        if (skipping() || unknown()) {
            return true;
        }
        const Slot slot = next();
        const bool fits = slot.field != nullptr && is_scalar(*slot.field) &&
                          (!slot.field->is_repeated() || slot.element) && set(slot);
        if (!fits) {
            refuse(slot);
        }
        advance();
        return true;
    }

    void refuse(const Slot& slot) {
        if (slot.field == nullptr) {
            blame("must be an object");
        } else if (slot.field->is_map()) {
            blame("must be an object");
        } else if (slot.field->is_repeated() && !slot.element) {
            blame("must be an array");
        } else {
            blame(allowed(*slot.field));
        }
    }

    void blame(std::string description) {
        if (faults_.size() < limits_.faults) {
            std::string field = path();
            faults_.push_back({field.empty() ? "body" : std::move(field), std::move(description)});
        }
    }

    [[nodiscard]] std::string path() const {
        std::string out;
        for (const Frame& frame : frames_) {
            switch (frame.kind) {
                case Frame::Kind::object:
                    out += (out.empty() || frame.key.empty() ? "" : ".") + frame.key;
                    break;
                case Frame::Kind::list:
                    out += "[" + std::to_string(frame.index) + "]";
                    break;
                case Frame::Kind::map:
                    out += "[\"" + frame.key + "\"]";
                    break;
            }
        }
        return out;
    }

    std::string_view text_;
    const JsonLimits limits_;
    Slot root_;
    std::vector<Frame> frames_;
    std::vector<FieldViolation> faults_;
    int depth_ = 0;
    int skip_ = 0;
};

}  // namespace

Result<void> read_json(std::string_view text, Message& message, const FieldDescriptor* field,
                       const JsonLimits& limits) {
    Reader reader(text, message, field, limits);
    json::sax_parse(text.begin(), text.end(), &reader, json::input_format_t::json, true, false);
    auto faults = std::move(reader).faults();
    if (faults.empty()) {
        return {};
    }
    Error error{Code::invalid_argument, {}, "INVALID_BODY", std::move(faults)};
    error.message = error.fields.front().field + " " + error.fields.front().description + ".";
    return std::unexpected(std::move(error));
}

}  // namespace gantry::gateway
