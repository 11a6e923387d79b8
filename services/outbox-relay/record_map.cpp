#include "record_map.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/base/time.hpp"
#include "gantry/base/uuid.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace gantry::relay {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxWakeup = 8192;
constexpr std::size_t kMaxQueueName = 63;

bool is_queue_name(std::string_view name) {
    return !name.empty() && name.size() <= kMaxQueueName &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
           });
}

bool is_xid(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

std::unexpected<Error> no_wakeup(std::string problem) {
    return fail(Code::invalid_argument, "a logical message is no wake-up: " + std::move(problem),
                "BAD_WAKEUP");
}

/// Adds the row's own headers and tells the event's id among them.
Result<std::optional<std::string>> add_headers(const std::string& text, kafka::Headers& headers) {
    if (text.empty() || text == "{}") {
        return std::optional<std::string>{};
    }
    const auto parsed = json::parse(text, nullptr, false);
    if (!parsed.is_object()) {
        return fail(Code::invalid_argument, "headers are no JSON object", "BAD_HEADERS");
    }
    std::optional<std::string> id;
    for (const auto& [name, value] : parsed.items()) {
        if (!value.is_string()) {
            return fail(Code::invalid_argument, "a header is no string", "BAD_HEADERS");
        }
        if (name == "ce_id") {
            id = value.get<std::string>();
        } else if (name != "ce_gantryepoch") {
            headers.push_back({name, value.get<std::string>()});
        }
    }
    return id;
}

}  // namespace

Result<Wakeup> parse_wakeup(std::string_view text) {
    if (text.size() > kMaxWakeup) {
        return no_wakeup("it is longer than 8192 bytes");
    }
    const auto parsed = json::parse(text, nullptr, false);
    if (!parsed.is_object()) {
        return no_wakeup("it is no JSON object");
    }
    Wakeup wakeup;
    const auto text_of = [&](const char* name) -> std::optional<std::string> {
        const auto found = parsed.find(name);
        if (found == parsed.end() || !found->is_string()) {
            return std::nullopt;
        }
        return found->get<std::string>();
    };
    wakeup.queue = text_of("queue").value_or("");
    wakeup.job = text_of("id").value_or("");
    wakeup.xid = text_of("xid").value_or("");
    wakeup.key = text_of("key");
    const auto dispatch = parsed.find("dispatch");
    if (!is_queue_name(wakeup.queue)) {
        return no_wakeup("queue must be 1 to 63 of a-z 0-9 -");
    }
    if (!Uuid::parse(wakeup.job)) {
        return no_wakeup("id must be a UUID");
    }
    if (dispatch == parsed.end() || !dispatch->is_number_integer()) {
        return no_wakeup("dispatch must be an integer");
    }
    if (!is_xid(wakeup.xid)) {
        return no_wakeup("xid must be a transaction id");
    }
    wakeup.dispatch = dispatch->get<std::int64_t>();
    return wakeup;
}

Result<kafka::Record> to_record(LedgerRow row, std::int64_t epoch) {
    kafka::Record record;
    record.topic = std::move(row.topic);
    record.key = std::move(row.key);
    record.value = std::move(row.payload);
    record.timestamp = row.created;
    auto& headers = record.headers;
    headers.reserve(10);
    headers.push_back({"ce_specversion", "1.0"});
    headers.push_back({"ce_id", std::to_string(row.id)});
    headers.push_back({"ce_type", std::move(row.type)});
    headers.push_back({"ce_source", std::move(row.source)});
    headers.push_back({"ce_time", format_rfc3339_micros(row.created)});
    if (row.subject) {
        headers.push_back({"ce_subject", std::move(*row.subject)});
    }
    headers.push_back({"content-type", std::move(row.content_type)});
    if (row.trace) {
        headers.push_back({"traceparent", std::move(*row.trace)});
    }
    headers.push_back({"ce_gantryepoch", std::to_string(epoch)});
    if (auto id = TRY(add_headers(row.headers, headers))) {
        headers[1].value = std::move(*id);
    }
    return record;
}

kafka::Record to_record(const Wakeup& wakeup, Instant committed, std::string_view topic_prefix,
                        std::int64_t epoch) {
    kafka::Record record;
    record.topic = std::string(topic_prefix) + ".jobs." + wakeup.queue;
    record.key = wakeup.key ? *wakeup.key : wakeup.job;
    record.timestamp = committed;
    json value = {{"id", wakeup.job}, {"dispatch", wakeup.dispatch}, {"xid", wakeup.xid}};
    if (wakeup.key) {
        value["key"] = *wakeup.key;
    }
    record.value = value.dump(-1, ' ', false, json::error_handler_t::replace);
    record.headers = {
        {"ce_specversion", "1.0"},
        {"ce_id", wakeup.job + "/" + std::to_string(wakeup.dispatch)},
        {"ce_type", "io.gantry.job.wakeup"},
        {"ce_source", "/gantry/jobs"},
        {"ce_time", format_rfc3339_micros(committed)},
        {"content-type", "application/json"},
        {"ce_gantryepoch", std::to_string(epoch)},
    };
    return record;
}

Result<Instant> parse_timestamptz(std::string_view text) {
    // `2026-01-31 02:00:00.123456+00` becomes RFC 3339 by its T and the minutes of its offset.
    std::string rfc3339(text);
    if (rfc3339.size() > 10 && rfc3339[10] == ' ') {
        rfc3339[10] = 'T';
    }
    const auto sign = rfc3339.find_last_of("+-");
    if (sign != std::string::npos && sign > 10 && rfc3339.size() == sign + 3) {
        rfc3339 += ":00";
    }
    return parse_rfc3339(rfc3339);
}

Result<std::string> parse_bytea(std::string_view text) {
    if (!text.starts_with("\\x")) {
        return fail(Code::data_loss, "bytes are not in PostgreSQL's hex form");
    }
    return hex_decode(text.substr(2));
}

}  // namespace gantry::relay
