#include "gantry/jobs/intake.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/outbox/publish.hpp"

#include <algorithm>

namespace gantry::jobs {
namespace {

// The origin decides who makes the job: the first record of an id and source.
constexpr std::string_view kClaim = R"sql(
INSERT INTO gantry.job_external (external_id, source, job, topic, partition, "offset")
SELECT w.external_id, w.source, w.job, w.topic, w.partition, w.place
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::integer[], $6::bigint[], $7::text[])
    WITH ORDINALITY AS w (external_id, source, job, topic, partition, place, queue, n)
JOIN gantry.queue q ON q.name = w.queue
ORDER BY w.external_id, w.source, w.n
ON CONFLICT (external_id, source) DO NOTHING)sql";

constexpr std::string_view kOwners = R"sql(
SELECT w.n, e.job, e.topic = w.topic AND e.partition = w.partition AND e."offset" = w.place
FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::bigint[]) WITH ORDINALITY
    AS w (external_id, source, topic, partition, place, n)
JOIN gantry.job_external e ON e.external_id = w.external_id AND e.source = w.source)sql";

constexpr std::string_view kMake = R"sql(
INSERT INTO gantry.job
    (id, queue, type, payload, content_type, key, traceparent, source, max_attempts, tags)
SELECT w.id, w.queue, w.type, w.payload, w.content_type, nullif(w.key, ''),
       gantry.valid_traceparent(w.traceparent), 'kafka', q.max_attempts,
       jsonb_build_object('ce_id', w.ce_id, 'ce_source', w.ce_source)
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[],
            $8::text[], $9::text[])
    AS w (id, queue, type, payload, content_type, key, traceparent, ce_id, ce_source)
JOIN gantry.queue q ON q.name = w.queue)sql";

Result<std::vector<Intake>> take_in_one_transaction(postgres::Transaction& transaction,
                                                    std::span<const ExternalEvent> events) {
    postgres::Params ids, sources, jobs, topics, partitions, offsets, queues;
    std::vector<Uuid> fresh;
    for (const auto& event : events) {
        fresh.push_back(Uuid::v7());
        ids.emplace_back(event.id);
        sources.emplace_back(event.source);
        jobs.emplace_back(fresh.back());
        topics.emplace_back(event.place.topic);
        partitions.emplace_back(event.place.partition);
        offsets.emplace_back(event.place.offset);
        queues.emplace_back(event.job.queue);
    }
    TRY(transaction.exec(
        kClaim, {postgres::array(ids), postgres::array(sources), postgres::array(jobs),
                 postgres::array(topics), postgres::array(partitions), postgres::array(offsets),
                 postgres::array(queues)}));
    const auto owners = TRY(transaction.exec(
        kOwners, {postgres::array(ids), postgres::array(sources), postgres::array(topics),
                  postgres::array(partitions), postgres::array(offsets)}));

    std::vector<Intake> answers(events.size(), Intake{Intake::Kind::no_queue, {}});
    postgres::Params new_ids, new_queues, types, payloads, content_types, keys, traces, ce_ids,
        ce_sources;
    for (const auto row : owners) {
        const auto number = static_cast<std::size_t>(row.get<std::int64_t>(0) - 1);
        const auto& event = events[number];
        const auto job = row.get<Uuid>(1);
        answers[number].wakeup = {job, 1, {}};
        answers[number].kind = row.get<bool>(2) ? Intake::Kind::made : Intake::Kind::duplicate;
        if (job != fresh[number]) {
            continue;  // made before, from this record or another
        }
        new_ids.emplace_back(job);
        new_queues.emplace_back(event.job.queue);
        types.emplace_back(event.job.type);
        payloads.emplace_back(postgres::Bytes{event.job.payload});
        content_types.emplace_back(event.job.content_type);
        keys.emplace_back(event.job.key);
        traces.emplace_back(event.job.traceparent);
        ce_ids.emplace_back(event.id);
        ce_sources.emplace_back(event.source);
    }
    if (!new_ids.empty()) {
        TRY(transaction.exec(
            kMake,
            {postgres::array(new_ids), postgres::array(new_queues), postgres::array(types),
             postgres::array(payloads), postgres::array(content_types), postgres::array(keys),
             postgres::array(traces), postgres::array(ce_ids), postgres::array(ce_sources)}));
    }
    return answers;
}

/// A header's value as text that every reader takes; other bytes as base64.
std::string header_text(std::string_view bytes) {
    constexpr std::size_t kMaxHeader = 256;
    const auto part = bytes.substr(0, kMaxHeader);
    if (part.find('\0') == std::string_view::npos && is_utf8(part)) {
        return std::string(part);
    }
    return base64_encode(part);
}

bool is_header_name(std::string_view name) {
    return !name.empty() && name.size() <= 100 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
    });
}

outbox::Event dead_letter(const BrokenRecord& record, const std::string& topic) {
    constexpr std::size_t kMaxKept = 16;
    const auto place = record.place.topic + "/" + std::to_string(record.place.partition) + "/" +
                       std::to_string(record.place.offset);
    outbox::Event event;
    event.topic = topic;
    event.type = "io.gantry.record.dead";
    event.source = "/gantry/jobs";
    event.subject = place;
    event.headers = {{"ce_id", place},
                     {"gantry-reason", record.reason},
                     {"gantry-detail", record.detail},
                     {"gantry-topic", record.place.topic},
                     {"gantry-partition", std::to_string(record.place.partition)},
                     {"gantry-offset", std::to_string(record.place.offset)}};
    std::size_t kept = 0;
    for (const auto& [name, value] : record.headers) {
        if (is_header_name(name) && ++kept <= kMaxKept) {
            event.headers.emplace("gantry-header." + name, header_text(value));
        }
    }
    if (record.key) {
        const bool plain = record.key->find('\0') == std::string::npos && is_utf8(*record.key) &&
                           record.key->size() <= 1024;
        if (plain) {
            event.key = record.key;
        } else {
            event.headers.emplace("gantry-key-base64", base64_encode(record.key->substr(0, 1024)));
        }
    }
    event.payload = record.value;
    if (event.payload && event.payload->size() > kMaxPayload) {
        event.headers.emplace("gantry-truncated-from", std::to_string(event.payload->size()));
        event.payload->resize(kMaxPayload);
    }
    return event;
}

}  // namespace

Result<std::vector<Intake>> take_in(postgres::Pool& pool, std::span<const ExternalEvent> events,
                                    Deadline deadline) {
    if (events.empty()) {
        return std::vector<Intake>{};
    }
    return pool.transact(deadline, [&](postgres::Transaction& transaction) {
        return take_in_one_transaction(transaction, events);
    });
}

Result<void> bury(postgres::Pool& pool, std::span<const BrokenRecord> records,
                  const std::string& dead_topic, Deadline deadline) {
    if (records.empty()) {
        return {};
    }
    std::vector<outbox::Event> events;
    events.reserve(records.size());
    for (const auto& record : records) {
        events.push_back(dead_letter(record, dead_topic));
    }
    return pool.transact(deadline, [&](postgres::Transaction& transaction) -> Result<void> {
        TRY(outbox::publish_batch(transaction, events));
        return {};
    });
}

}  // namespace gantry::jobs
