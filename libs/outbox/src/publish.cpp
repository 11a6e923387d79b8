#include "gantry/outbox/publish.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/tracing/trace.hpp"

#include <nlohmann/json.hpp>

namespace gantry::outbox {
namespace {

constexpr std::string_view kPublish = R"(
SELECT gantry.publish(e.topic, e.key, e.type, e.payload, e.headers, e.subject, e.content_type,
                      e.traceparent, e.source)
FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::jsonb[], $6::text[], $7::text[],
            $8::text[], $9::text[]) WITH ORDINALITY
     AS e (topic, key, type, payload, headers, subject, content_type, traceparent, source, n)
ORDER BY e.n)";

constexpr std::string_view kWake =
    "SELECT gantry.emit_wakeups($1::text[], $2::uuid[], $3::bigint[], $4::text[])";

/// Text that PostgreSQL would refuse with an error that cannot say which value it was.
Result<void> check_text(std::string_view text, const char* field) {
    if (text.find('\0') != std::string_view::npos || !is_utf8(text)) {
        return invalid(field, "must be UTF-8 without NUL");
    }
    return {};
}

Result<std::string> headers_json(const Event& event) {
    nlohmann::json headers = nlohmann::json::object();
    for (const auto& [name, value] : event.headers) {
        TRY(check_text(name, "headers"));
        TRY(check_text(value, "headers"));
        headers[name] = value;
    }
    return headers.dump();
}

std::optional<std::string> trace_of(const Event& event) {
    const auto trace =
        event.traceparent.empty() ? tracing::current().traceparent() : event.traceparent;
    return trace.empty() ? std::nullopt : std::optional(trace);
}

/// The columns of a batch, each to become an array parameter.
struct Columns {
    postgres::Params topics, keys, types, payloads, headers, subjects, content_types, traces,
        sources;

    Result<void> add(const Event& event) {
        TRY(check_text(event.topic, "topic"));
        TRY(check_text(event.key.value_or(""), "key"));
        TRY(check_text(event.type, "type"));
        TRY(check_text(event.subject.value_or(""), "subject"));
        TRY(check_text(event.content_type, "content_type"));
        TRY(check_text(event.source, "source"));
        TRY(check_text(event.traceparent, "traceparent"));
        headers.emplace_back(TRY(headers_json(event)));
        topics.emplace_back(event.topic);
        keys.emplace_back(event.key);
        types.emplace_back(event.type);
        payloads.push_back(event.payload ? postgres::Param(postgres::Bytes{*event.payload})
                                         : postgres::Param(nullptr));
        subjects.emplace_back(event.subject);
        content_types.emplace_back(event.content_type);
        traces.emplace_back(trace_of(event));
        sources.emplace_back(event.source);
        return {};
    }

    [[nodiscard]] postgres::Params params() const {
        using postgres::array;
        return {array(topics),        array(keys),    array(types),
                array(payloads),      array(headers), array(subjects),
                array(content_types), array(traces),  array(sources)};
    }
};

}  // namespace

Result<std::vector<std::int64_t>> publish_batch(postgres::Transaction& transaction,
                                                std::span<const Event> events) {
    if (events.empty()) {
        return std::vector<std::int64_t>{};
    }
    Columns columns;
    for (const auto& event : events) {
        TRY(columns.add(event));
    }
    const auto rows = TRY(transaction.exec(kPublish, columns.params()));
    std::vector<std::int64_t> ids;
    ids.reserve(rows.size());
    for (const auto row : rows) {
        ids.push_back(row.get<std::int64_t>(0));
    }
    return ids;
}

Result<std::int64_t> publish(postgres::Transaction& transaction, const Event& event) {
    const auto ids = TRY(publish_batch(transaction, {&event, 1}));
    return ids.front();
}

Result<void> wake(postgres::Transaction& transaction, std::span<const Wakeup> wakeups) {
    if (wakeups.empty()) {
        return {};
    }
    postgres::Params queues;
    postgres::Params jobs;
    postgres::Params dispatches;
    postgres::Params keys;
    for (const auto& wakeup : wakeups) {
        queues.emplace_back(wakeup.queue);
        jobs.emplace_back(wakeup.job);
        dispatches.emplace_back(wakeup.dispatch);
        keys.emplace_back(wakeup.key);
    }
    using postgres::array;
    TRY(transaction.exec(kWake, {array(queues), array(jobs), array(dispatches), array(keys)}));
    return {};
}

}  // namespace gantry::outbox
