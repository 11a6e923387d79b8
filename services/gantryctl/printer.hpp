#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/repeated_ptr_field.h>

#include <iosfwd>
#include <string>
#include <vector>

namespace gantry::ctl {

enum class Output { table, json };

/// Whether what may be personal data is printed: every `bytes` field, every text named key, …_key
/// or subject, and all that is named payload or headers, at any depth. Hidden, such a field is not
/// in the output at all.
enum class Content { hidden, shown };

/// Writes the messages of an API by reflection, so that a new field needs no code here.
///
/// JSON is protobuf's, as the REST API gives it: lowerCamelCase, fields that are not set too,
/// 64-bit integers as strings. Tables show times in RFC 3339, durations as `1m30s`, and `-` for
/// what is not set; control characters are escaped, so that a text from outside cannot move the
/// cursor.
class Printer {
public:
    /// `out` must outlive the printer.
    Printer(std::ostream& out, Output output, Content content)
        : out_(out), output_(output), content_(content) {}

    /// One message: a line a field, then a table for each list in it.
    void message(const google::protobuf::Message& message) const;

    /// A list that comes in pages, printed as it comes: JSON `{"<name>": […]}`, or one table with a
    /// column a field. Columns of a table only ever grow, so later pages may be wider.
    class List {
    public:
        List(const Printer& printer, std::string name, const google::protobuf::Descriptor& type);
        void add(const google::protobuf::Message& message);
        /// Prints what was added since the last call.
        void flush();
        /// Prints the rest; nothing may be added after it.
        void end();

    private:
        const Printer& printer_;
        std::string name_;
        std::vector<const google::protobuf::FieldDescriptor*> columns_;
        std::vector<std::size_t> widths_;
        std::vector<std::vector<std::string>> rows_;
        bool headed_ = false;
        bool any_ = false;  // an element was printed
    };

private:
    using Field = google::protobuf::FieldDescriptor;

    [[nodiscard]] bool shows(const Field& field) const;
    [[nodiscard]] std::vector<const Field*> columns(const google::protobuf::Descriptor& type) const;
    void lines(const google::protobuf::Message& message, const std::string& prefix,
               std::vector<std::vector<std::string>>& rows) const;
    void tables(const google::protobuf::Message& message) const;
    [[nodiscard]] std::string json(const google::protobuf::Message& message, int indent) const;

    std::ostream& out_;
    Output output_;
    Content content_;
};

}  // namespace gantry::ctl
