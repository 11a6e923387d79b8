#include "query.hpp"

#include "path_template.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace gantry::gateway {
namespace {

constexpr std::size_t kMostFaults = 20;
constexpr std::size_t kMostParameters = 1'000;

struct Parameter {
    std::string_view name;
    std::string_view value;
};

std::vector<Parameter> split(std::string_view query) {
    std::vector<Parameter> out;
    while (!query.empty() && out.size() <= kMostParameters) {
        const auto end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        if (!pair.empty()) {
            const auto equals = pair.find('=');
            out.push_back({pair.substr(0, equals), equals == std::string_view::npos
                                                       ? std::string_view{}
                                                       : pair.substr(equals + 1)});
        }
        query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    }
    return out;
}

Result<std::string> decode(std::string_view text) {
    std::string blanks(text);
    std::replace(blanks.begin(), blanks.end(), '+', ' ');
    return percent_decode(blanks);
}

// A name to show to the caller: its own words, but not without bound.
std::string shown(std::string_view name) {
    return std::string(name.substr(0, 100));
}

Result<void> done(std::vector<FieldViolation> faults) {
    if (faults.empty()) {
        return {};
    }
    Error error{Code::invalid_argument, {}, "INVALID_QUERY", std::move(faults)};
    error.message = "The query parameter " + error.fields.front().field + " " +
                    error.fields.front().description + ".";
    return std::unexpected(std::move(error));
}

class Binder {
public:
    Binder(Message& message, std::span<const FieldDescriptor* const> reserved)
        : message_(&message), reserved_(reserved) {}

    void bind(const Parameter& parameter) {
        auto name = decode(parameter.name);
        auto value = decode(parameter.value);
        if (!name) {
            blame("query", "has a name that is broken: " + name.error().message);
        } else if (!value) {
            blame(shown(*name), value.error().message);
        } else {
            bind(*name, *value);
        }
    }

    std::vector<FieldViolation> faults() && { return std::move(faults_); }

private:
    void bind(const std::string& name, const std::string& value) {
        const auto path = FieldPath::resolve(*message_->GetDescriptor(), name);
        if (!path) {
            blame(shown(name), path.error().fields.front().description);
            return;
        }
        const std::string json_path = path->json_path();
        const FieldDescriptor& field = path->field();
        if (std::find(reserved_.begin(), reserved_.end(), &path->first()) != reserved_.end()) {
            blame(json_path, "is set by the path or the body, not by the query");
        } else if (!is_scalar(field) || field.is_map()) {
            blame(json_path, "has fields of its own; name one of them, as in " + json_path + ".x");
        } else if (!field.is_repeated() &&
                   std::find(seen_.begin(), seen_.end(), json_path) != seen_.end()) {
            blame(json_path, "stands here twice");
        } else if (!set_from_text(path->holder(*message_), field, value)) {
            blame(json_path, allowed(field));
        } else {
            seen_.push_back(json_path);
        }
    }

    void blame(std::string field, std::string description) {
        if (faults_.size() < kMostFaults) {
            faults_.push_back({std::move(field), std::move(description)});
        }
    }

    Message* message_;
    std::span<const FieldDescriptor* const> reserved_;
    std::vector<std::string> seen_;
    std::vector<FieldViolation> faults_;
};

}  // namespace

Result<void> read_query(std::string_view query, Message& message,
                        std::span<const FieldDescriptor* const> reserved) {
    const auto parameters = split(query);
    if (parameters.size() > kMostParameters) {
        return done({{"query", "has more than 1000 parameters"}});
    }
    Binder binder(message, reserved);
    for (const Parameter& parameter : parameters) {
        binder.bind(parameter);
    }
    return done(std::move(binder).faults());
}

Result<void> refuse_query(std::string_view query) {
    std::vector<FieldViolation> faults;
    for (const Parameter& parameter : split(query)) {
        if (faults.size() < kMostFaults) {
            const auto name = decode(parameter.name);
            faults.push_back({name ? shown(*name) : "query",
                              "is not taken here; the body holds the whole request"});
        }
    }
    return done(std::move(faults));
}

}  // namespace gantry::gateway
