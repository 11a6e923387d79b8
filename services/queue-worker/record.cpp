#include "record.hpp"

#include "gantry/base/clock.hpp"
#include "gantry/base/encoding.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace gantry::worker {
namespace {

constexpr std::size_t kMaxAttribute = 255;

jobs::RecordPlace place_of(const kafka::Message& record) {
    return {record.topic, record.partition, record.offset};
}

jobs::BrokenRecord broken(const kafka::Message& record, std::string reason, std::string detail) {
    jobs::BrokenRecord result{place_of(record), std::move(reason), std::move(detail),
                              record.key,       record.value,      {}};
    for (const auto& header : record.headers) {
        result.headers.emplace_back(header.name, header.value.value_or(""));
    }
    return result;
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

/// The last value of a header, whatever the case of its name.
std::optional<std::string> header(const kafka::Message& record, std::string_view name) {
    std::optional<std::string> value;
    for (const auto& candidate : record.headers) {
        if (candidate.value && lower(candidate.name) == name) {
            value = *candidate.value;
        }
    }
    return value;
}

/// A CloudEvent's attributes and data, from either mode.
struct CloudEvent {
    std::optional<std::string> specversion, id, source, type, content_type, traceparent;
    std::string data;
};

CloudEvent read_binary(const kafka::Message& record) {
    CloudEvent event;
    event.specversion = header(record, "ce_specversion");
    event.id = header(record, "ce_id");
    event.source = header(record, "ce_source");
    event.type = header(record, "ce_type");
    event.content_type = header(record, "content-type");
    event.traceparent = header(record, "traceparent");
    if (!event.traceparent) {
        event.traceparent = header(record, "ce_traceparent");
    }
    event.data = record.value.value_or("");
    return event;
}

Result<CloudEvent> read_structured(const kafka::Message& record) {
    const auto json = nlohmann::json::parse(record.value.value_or(""), nullptr, false);
    if (!json.is_object()) {
        return fail(Code::invalid_argument, "the value is not a JSON object");
    }
    const auto text = [&json](const char* name) -> std::optional<std::string> {
        const auto found = json.find(name);
        if (found == json.end() || !found->is_string()) {
            return std::nullopt;
        }
        return found->get<std::string>();
    };
    CloudEvent event;
    event.specversion = text("specversion");
    event.id = text("id");
    event.source = text("source");
    event.type = text("type");
    event.content_type = text("datacontenttype");
    event.traceparent = text("traceparent");
    if (const auto encoded = text("data_base64")) {
        event.data = TRY(base64_decode(*encoded));
    } else if (const auto data = json.find("data"); data != json.end()) {
        // JSON data is carried as JSON; a string of another media type is the data itself.
        const bool is_json =
            !event.content_type || lower(*event.content_type).find("json") != std::string::npos;
        event.data = data->is_string() && !is_json ? data->get<std::string>() : data->dump();
        if (!event.content_type) {
            event.content_type = "application/json";
        }
    }
    return event;
}

bool is_attribute(const std::optional<std::string>& value) {
    return value && !value->empty() && value->size() <= kMaxAttribute && jobs::is_storable(*value);
}

/// The attribute at fault, empty if there is none.
std::string fault_of(const CloudEvent& event) {
    if (event.specversion != "1.0") {
        return "specversion must be 1.0";
    }
    if (!is_attribute(event.id)) {
        return "id must be 1 to 255 bytes of UTF-8";
    }
    if (!is_attribute(event.source)) {
        return "source must be 1 to 255 bytes of UTF-8";
    }
    if (!event.type || !jobs::is_job_type(*event.type)) {
        return "type must be 1 to 200 of A-Z a-z 0-9 . _ - and start with a letter";
    }
    return {};
}

}  // namespace

Reading read_record(const kafka::Message& record, const std::string& queue) {
    const auto type = header(record, "ce_type");
    if (type == kWakeupType) {
        if (auto wakeup = jobs::parse_wakeup(record.value.value_or(""))) {
            return *std::move(wakeup);
        }
        return broken(record, "bad_wakeup", "the value is not a wake-up");
    }
    const auto content_type = header(record, "content-type");
    const bool structured =
        content_type && lower(*content_type).starts_with("application/cloudevents+json");
    auto read = structured ? read_structured(record) : Result<CloudEvent>(read_binary(record));
    if (!read) {
        return broken(record, "bad_event", read.error().message);
    }
    if (auto fault = fault_of(*read); !fault.empty()) {
        return broken(record, "bad_attributes", std::move(fault));
    }
    jobs::ExternalEvent event;
    event.place = place_of(record);
    event.id = *std::move(read->id);
    event.source = *std::move(read->source);
    event.job.queue = queue;
    event.job.type = *std::move(read->type);
    event.job.payload = std::move(read->data);
    event.job.source = "kafka";
    if (read->content_type && !read->content_type->empty()) {
        event.job.content_type = *std::move(read->content_type);
    }
    event.job.traceparent = read->traceparent.value_or("");
    if (!jobs::is_storable(event.job.traceparent)) {
        event.job.traceparent.clear();
    }
    // A key that cannot be stored still chose the partition; the job goes without.
    if (record.key && record.key->size() <= kMaxAttribute && jobs::is_storable(*record.key)) {
        event.job.key = *record.key;
    }
    if (auto valid = jobs::validate(event.job, system_clock().now()); !valid) {
        return broken(record, "bad_event", valid.error().message);
    }
    return event;
}

}  // namespace gantry::worker
