#include "printer.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/base/ensure.hpp"
#include "gantry/base/time.hpp"
#include "gantry/base/units.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/json_util.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ostream>
#include <string_view>

namespace gantry::ctl {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;
using Rows = std::vector<std::vector<std::string>>;

constexpr std::string_view kNothing = "-";
constexpr int kMostElements = 20;  // of a list on one line
constexpr std::string_view kGap = "  ";

bool is_time(const Field& field) {
    return field.cpp_type() == Field::CPPTYPE_MESSAGE &&
           (field.message_type()->full_name() == pb::Timestamp::descriptor()->full_name() ||
            field.message_type()->full_name() == pb::Duration::descriptor()->full_name());
}

bool is_content(const Field& field) {
    const auto& name = field.name();
    const bool names_a_person = name == "key" || name.ends_with("_key") || name == "subject";
    return field.type() == Field::TYPE_BYTES || name == "payload" || name == "headers" ||
           (field.cpp_type() == Field::CPPTYPE_STRING && names_a_person);
}

// A field with a cell of its own, unlike lists and messages.
bool is_plain(const Field& field) {
    return !field.is_repeated() && (field.cpp_type() != Field::CPPTYPE_MESSAGE || is_time(field));
}

std::string words(std::string_view name) {
    std::string text(name);
    std::ranges::replace(text, '_', ' ');
    return text;
}

std::string heading(std::string_view name) {
    auto text = words(name);
    std::ranges::transform(text, text.begin(), [](unsigned char letter) {
        return static_cast<char>(std::toupper(letter));
    });
    return text;
}

// Text from outside must not be able to command the terminal.
std::string harmless(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
        const bool c1 = byte == 0xc2 && next >= 0x80 && next < 0xa0;
        if (byte < 0x20 || byte == 0x7f || c1) {
            const auto shown = c1 ? next : byte;
            result += "\\x";
            result += kDigits[shown >> 4U];
            result += kDigits[shown & 0xfU];
            i += c1 ? 1 : 0;
        } else {
            result += text[i];
        }
    }
    return result;
}

std::string text_of(const pb::Message& value) {
    const auto& reflection = *value.GetReflection();
    const auto& type = *value.GetDescriptor();
    // By reflection, for a message of a dynamic pool is no generated class.
    const auto seconds = reflection.GetInt64(value, type.FindFieldByNumber(1));
    const auto nanos = reflection.GetInt32(value, type.FindFieldByNumber(2));
    const auto since = std::chrono::seconds{seconds} + std::chrono::nanoseconds{nanos};
    if (type.name() == "Timestamp") {
        return format_rfc3339(Instant{std::chrono::duration_cast<Instant::duration>(since)});
    }
    const auto rounded = std::chrono::duration_cast<milliseconds>(since);
    return rounded.count() < 0 ? "-" + format_duration(-rounded) : format_duration(rounded);
}

std::string text_of(const std::string& value, const Field& field) {
    if (value.empty()) {
        return std::string(kNothing);
    }
    if (field.type() == Field::TYPE_BYTES && !is_utf8(value)) {
        return "base64:" + base64_encode(value);
    }
    return harmless(value);
}

std::string text_of(const pb::EnumValueDescriptor& value) {
    const bool unknown = value.number() == 0 && value.name().ends_with("UNSPECIFIED");
    return unknown ? std::string(kNothing) : value.name();
}

std::string number(double value) {
    return nlohmann::json(value).dump();
}

std::string cell(const pb::Message& message, const Field& field) {
    const auto& reflection = *message.GetReflection();
    if (field.has_presence() && !reflection.HasField(message, &field)) {
        return std::string(kNothing);
    }
    switch (field.cpp_type()) {
        case Field::CPPTYPE_INT32:
            return std::to_string(reflection.GetInt32(message, &field));
        case Field::CPPTYPE_INT64:
            return std::to_string(reflection.GetInt64(message, &field));
        case Field::CPPTYPE_UINT32:
            return std::to_string(reflection.GetUInt32(message, &field));
        case Field::CPPTYPE_UINT64:
            return std::to_string(reflection.GetUInt64(message, &field));
        case Field::CPPTYPE_DOUBLE:
            return number(reflection.GetDouble(message, &field));
        case Field::CPPTYPE_FLOAT:
            return number(static_cast<double>(reflection.GetFloat(message, &field)));
        case Field::CPPTYPE_BOOL:
            return reflection.GetBool(message, &field) ? "yes" : "no";
        case Field::CPPTYPE_ENUM:
            return text_of(*reflection.GetEnum(message, &field));
        case Field::CPPTYPE_STRING:
            return text_of(reflection.GetString(message, &field), field);
        case Field::CPPTYPE_MESSAGE:
            return text_of(reflection.GetMessage(message, &field));
    }
    return std::string(kNothing);
}

// An element of a list of plain values.
std::string element(const pb::Message& message, const Field& field, int index) {
    const auto& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
        case Field::CPPTYPE_INT32:
            return std::to_string(reflection.GetRepeatedInt32(message, &field, index));
        case Field::CPPTYPE_INT64:
            return std::to_string(reflection.GetRepeatedInt64(message, &field, index));
        case Field::CPPTYPE_UINT32:
            return std::to_string(reflection.GetRepeatedUInt32(message, &field, index));
        case Field::CPPTYPE_UINT64:
            return std::to_string(reflection.GetRepeatedUInt64(message, &field, index));
        case Field::CPPTYPE_DOUBLE:
            return number(reflection.GetRepeatedDouble(message, &field, index));
        case Field::CPPTYPE_FLOAT:
            return number(static_cast<double>(reflection.GetRepeatedFloat(message, &field, index)));
        case Field::CPPTYPE_BOOL:
            return reflection.GetRepeatedBool(message, &field, index) ? "yes" : "no";
        case Field::CPPTYPE_ENUM:
            return text_of(*reflection.GetRepeatedEnum(message, &field, index));
        case Field::CPPTYPE_STRING:
            return text_of(reflection.GetRepeatedString(message, &field, index), field);
        case Field::CPPTYPE_MESSAGE:
            return text_of(reflection.GetRepeatedMessage(message, &field, index));
    }
    return std::string(kNothing);
}

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U; }));
}

void widen(std::vector<std::size_t>& widths, const std::vector<std::string>& row) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], width(row[i]));
    }
}

// The last column is not padded: no line ends in blanks.
void print_row(std::ostream& out, const std::vector<std::string>& row,
               const std::vector<std::size_t>& widths) {
    for (std::size_t i = 0; i < row.size(); ++i) {
        out << row[i];
        if (i + 1 < row.size()) {
            out << std::string(widths[i] - width(row[i]), ' ') << kGap;
        }
    }
    out << '\n';
}

void print_rows(std::ostream& out, const Rows& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widen(widths, row);
    }
    for (const auto& row : rows) {
        print_row(out, row, widths);
    }
}

// Takes the fields out of `json` that hold content.
void hide_content(nlohmann::ordered_json& json, const pb::Descriptor& type) {
    if (!json.is_object()) {
        return;
    }
    for (int i = 0; i < type.field_count(); ++i) {
        const auto& field = *type.field(i);
        const auto found = json.find(field.json_name());
        if (found == json.end()) {
            continue;
        }
        if (is_content(field)) {
            json.erase(found);
        } else if (field.cpp_type() == Field::CPPTYPE_MESSAGE && !field.is_map()) {
            if (!found->is_array()) {
                hide_content(*found, *field.message_type());
                continue;
            }
            for (auto& each : *found) {
                hide_content(each, *field.message_type());
            }
        }
    }
}

}  // namespace

bool Printer::shows(const Field& field) const {
    return content_ == Content::shown || !is_content(field);
}

std::vector<const Field*> Printer::columns(const pb::Descriptor& type) const {
    std::vector<const Field*> found;
    for (int i = 0; i < type.field_count(); ++i) {
        if (is_plain(*type.field(i)) && shows(*type.field(i))) {
            found.push_back(type.field(i));
        }
    }
    return found;
}

void Printer::lines(const pb::Message& message, const std::string& prefix, Rows& rows) const {
    const auto& reflection = *message.GetReflection();
    const auto& type = *message.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
        const auto& field = *type.field(i);
        if (!shows(field)) {
            continue;
        }
        const auto name = prefix + words(field.name());
        if (is_plain(field)) {
            rows.push_back({name, cell(message, field)});
        } else if (field.is_map()) {
            for (int k = 0; k < reflection.FieldSize(message, &field); ++k) {
                const auto& entry = reflection.GetRepeatedMessage(message, &field, k);
                const auto& entry_type = *field.message_type();
                rows.push_back({name + ' ' + cell(entry, *entry_type.map_key()),
                                cell(entry, *entry_type.map_value())});
            }
        } else if (field.is_repeated() && field.cpp_type() != Field::CPPTYPE_MESSAGE) {
            std::string joined;
            const int size = reflection.FieldSize(message, &field);
            for (int k = 0; k < std::min(size, kMostElements); ++k) {
                joined += (k == 0 ? "" : ", ") + element(message, field, k);
            }
            if (size > kMostElements) {
                joined += " and " + std::to_string(size - kMostElements) + " more";
            }
            rows.push_back({name, joined.empty() ? std::string(kNothing) : joined});
        } else if (!field.is_repeated() && reflection.HasField(message, &field)) {
            lines(reflection.GetMessage(message, &field), name + ' ', rows);
        }
    }
}

void Printer::tables(const pb::Message& message) const {
    const auto& reflection = *message.GetReflection();
    const auto& type = *message.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
        const auto& field = *type.field(i);
        const int size = field.is_repeated() ? reflection.FieldSize(message, &field) : 0;
        if (size == 0 || field.is_map() || field.cpp_type() != Field::CPPTYPE_MESSAGE ||
            !shows(field)) {
            continue;
        }
        out_ << '\n' << words(field.name()) << ":\n";
        List list(*this, field.name(), *field.message_type());
        for (int k = 0; k < size; ++k) {
            list.add(reflection.GetRepeatedMessage(message, &field, k));
        }
        list.end();
    }
}

std::string Printer::json(const pb::Message& message, int indent) const {
    pb::util::JsonPrintOptions options;
    options.always_print_primitive_fields = true;
    std::string text;
    const auto printed = pb::util::MessageToJsonString(message, &text, options);
    ENSURE(printed.ok(), "a message of our own API has a JSON form");
    auto json = nlohmann::ordered_json::parse(text);
    if (content_ == Content::hidden) {
        hide_content(json, *message.GetDescriptor());
    }
    return json.dump(indent);
}

void Printer::message(const pb::Message& message) const {
    if (output_ == Output::json) {
        out_ << json(message, 2) << '\n';
        return;
    }
    Rows rows;
    lines(message, {}, rows);
    print_rows(out_, rows);
    tables(message);
}

Printer::List::List(const Printer& printer, std::string name, const pb::Descriptor& type)
    : printer_(printer), name_(std::move(name)), columns_(printer.columns(type)) {
    std::vector<std::string> head;
    for (const auto* column : columns_) {
        head.push_back(heading(column->name()));
    }
    widen(widths_, head);
    rows_.push_back(std::move(head));
}

void Printer::List::add(const pb::Message& message) {
    std::vector<std::string> row;
    if (printer_.output_ == Output::json) {
        row.push_back(printer_.json(message, -1));
    } else {
        for (const auto* column : columns_) {
            row.push_back(cell(message, *column));
        }
        widen(widths_, row);
    }
    rows_.push_back(std::move(row));
}

void Printer::List::flush() {
    auto& out = printer_.out_;
    auto row = rows_.begin();
    if (printer_.output_ == Output::table) {
        for (; row != rows_.end(); ++row) {
            print_row(out, *row, widths_);
        }
    } else {
        if (!headed_) {
            out << "{\"" << name_ << "\": [";
            ++row;  // the table's head
        }
        for (; row != rows_.end(); ++row) {
            out << (any_ ? ",\n  " : "\n  ") << row->front();
            any_ = true;
        }
    }
    headed_ = true;
    rows_.clear();
}

void Printer::List::end() {
    flush();
    if (printer_.output_ == Output::json) {
        printer_.out_ << "\n]}\n";
    }
}

}  // namespace gantry::ctl
