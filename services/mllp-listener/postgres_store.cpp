#include "postgres_store.hpp"

#include "gantry/base/encoding.hpp"

#include <map>
#include <set>
#include <tuple>

namespace gantry::mllp {
namespace {

using postgres::array;
using postgres::Bytes;
using postgres::Params;

using Key = std::tuple<std::string_view, std::string_view, std::string_view>;
using OwnKey = std::tuple<std::string, std::string, std::string>;

Key key_of(const NewMessage& message) {
    return {message.sender, message.control_id, message.sha256};
}

// The names in the order of their keys, so that two listeners never wait for each other in a
// circle. A listener that meets another's uncommitted key waits here for that commit.
constexpr std::string_view kClaim = R"(
    INSERT INTO gantry.hl7_dedup (sender, control_id, sha256, message_id, received_at, ack)
    SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::uuid[], $5::timestamptz[],
                         $6::bytea[])
    ON CONFLICT DO NOTHING
    RETURNING message_id)";

// A statement of its own: it sees what the winner committed while kClaim waited.
constexpr std::string_view kStoredAnswers = R"(
    SELECT d.sender, d.control_id, d.sha256, d.ack
    FROM gantry.hl7_dedup d
    JOIN unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS k (sender, control_id, sha256)
      ON (d.sender, d.control_id, d.sha256) = (k.sender, k.control_id, k.sha256))";

// One message a row, in order of arrival: its event, its job if it makes one, and itself.
constexpr std::string_view kInsert = R"(
    WITH incoming AS MATERIALIZED (
        SELECT * FROM unnest(
            $1::uuid[], $2::timestamptz[], $3::text[], $4::bytea[], $5::bytea[], $6::bytea[],
            $7::bytea[], $8::bytea[], $9::text[], $10::text[], $11::bytea[], $12::bytea[],
            $13::bytea[], $14::bytea[], $15::bytea[], $16::text[], $17::text[], $18::text[],
            $19::boolean[], $20::text[], $21::text[], $22::text[], $23::text[], $24::boolean[],
            $25::text[], $26::bytea[]) WITH ORDINALITY AS m (
            id, received_at, peer, raw, sha256, sender, control_id, message_type, message_code,
            trigger_event, sending_application, sending_facility, receiving_application,
            receiving_facility, processing_id, facility, version, charset, undecodable, topic,
            event_key, event_type, traceparent, makes_order, ack_code, ack, position)
        ORDER BY position
    ), written AS MATERIALIZED (
        SELECT i.*,
            gantry.publish(
                topic => i.topic, key => i.event_key, type => i.event_type,
                payload => CASE WHEN octet_length(i.raw) <= 900 * 1024 THEN i.raw ELSE ''::bytea END,
                headers => CASE WHEN octet_length(i.raw) <= 900 * 1024 THEN '{}'::jsonb
                    ELSE jsonb_build_object('ce_dataref', '/v1/hl7/messages/' || i.id) END,
                content_type => 'application/hl7-v2', traceparent => i.traceparent,
                source => '/gantry/mllp') AS outbox_id,
            CASE WHEN i.makes_order THEN gantry.enqueue(
                queue => 'orders', type => 'orders.import_hl7',
                payload => convert_to(jsonb_build_object('messageId', i.id)::text, 'UTF8'),
                content_type => 'application/json', key => nullif(i.facility, ''),
                traceparent => i.traceparent, source => 'hl7') END AS job_id
        FROM incoming i
        ORDER BY i.position
    )
    INSERT INTO gantry.hl7_message (
        id, received_at, outbox_id, job_id, size, undecodable, listener, peer, facility,
        message_code, trigger_event, version, charset, ack_code, topic, sha256, sender, control_id,
        message_type, sending_application, sending_facility, receiving_application,
        receiving_facility, processing_id, ack, raw)
    SELECT id, received_at, outbox_id, job_id, octet_length(raw), undecodable, 'mllp', peer,
        facility, message_code, trigger_event, version, charset, ack_code, topic, sha256, sender,
        control_id, message_type, sending_application, sending_facility, receiving_application,
        receiving_facility, processing_id, ack, raw
    FROM written)";

constexpr std::string_view kQuarantine = R"(
    INSERT INTO gantry.hl7_quarantine (
        id, received_at, size, truncated, listener, peer, reason, sha256, bytes)
    SELECT id, received_at, size, size > octet_length(bytes), 'mllp', peer, reason, sha256(bytes),
        bytes
    FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[], $4::text[], $5::text[], $6::bytea[])
        AS q (id, received_at, size, peer, reason, bytes))";

// One parameter: an array of what `field` gives for each message.
template <class Items, class Field>
postgres::Param column(const Items& items, Field field) {
    Params values;
    values.reserve(items.size());
    for (const auto* item : items) {
        values.emplace_back(field(*item));
    }
    return array(std::span<const postgres::Param>(values));
}

template <class Items>
postgres::Param bytes_column(const Items& items, std::string NewMessage::* field) {
    return column(items, [&](const NewMessage& m) { return Bytes{m.*field}; });
}

template <class Items>
postgres::Param text_column(const Items& items, std::string NewMessage::* field) {
    return column(items, [&](const NewMessage& m) { return std::string_view(m.*field); });
}

using Messages = std::vector<const NewMessage*>;

Params insert_params(const Messages& m) {
    using N = NewMessage;
    return {column(m, [](const N& n) { return n.id; }),
            column(m, [](const N& n) { return n.received_at; }),
            text_column(m, &N::peer),
            bytes_column(m, &N::raw),
            bytes_column(m, &N::sha256),
            bytes_column(m, &N::sender),
            bytes_column(m, &N::control_id),
            bytes_column(m, &N::message_type),
            text_column(m, &N::message_code),
            text_column(m, &N::trigger_event),
            bytes_column(m, &N::sending_application),
            bytes_column(m, &N::sending_facility),
            bytes_column(m, &N::receiving_application),
            bytes_column(m, &N::receiving_facility),
            bytes_column(m, &N::processing_id),
            text_column(m, &N::facility),
            text_column(m, &N::version),
            text_column(m, &N::charset),
            column(m, [](const N& n) { return n.undecodable; }),
            text_column(m, &N::topic),
            text_column(m, &N::event_key),
            text_column(m, &N::event_type),
            text_column(m, &N::traceparent),
            column(m, [](const N& n) { return n.makes_order; }),
            text_column(m, &N::ack_code),
            bytes_column(m, &N::ack)};
}

// What had been answered to those of `keys` that are stored.
Result<std::map<OwnKey, std::string>> stored_answers(postgres::Transaction& transaction,
                                                     const Params& keys) {
    std::map<OwnKey, std::string> answers;
    const auto rows = TRY(transaction.exec(kStoredAnswers, keys));
    for (const auto row : rows) {
        answers[OwnKey{row.bytes(0), row.bytes(1), row.bytes(2)}] = row.bytes(3);
    }
    return answers;
}

Result<std::vector<Stored>> write(postgres::Transaction& transaction,
                                  std::span<const NewMessage* const> batch) {
    std::map<Key, const NewMessage*> firsts;  // folds repeats inside the batch; sorted by key
    for (const auto* message : batch) {
        firsts.try_emplace(key_of(*message), message);
    }
    Messages sorted;
    for (const auto& [key, message] : firsts) {
        sorted.push_back(message);
    }
    const Params keys{bytes_column(sorted, &NewMessage::sender),
                      bytes_column(sorted, &NewMessage::control_id),
                      bytes_column(sorted, &NewMessage::sha256)};
    Params claim = keys;
    claim.push_back(column(sorted, [](const NewMessage& m) { return m.id; }));
    claim.push_back(column(sorted, [](const NewMessage& m) { return m.received_at; }));
    claim.push_back(bytes_column(sorted, &NewMessage::ack));
    std::set<Uuid> claimed;
    const auto won = TRY(transaction.exec(kClaim, claim));
    for (const auto row : won) {
        claimed.insert(row.get<Uuid>(0));
    }
    Messages fresh;
    for (const auto* message : batch) {
        if (claimed.contains(message->id)) {
            fresh.push_back(message);
        }
    }
    std::map<OwnKey, std::string> answers;
    if (fresh.size() < sorted.size()) {
        answers = TRY(stored_answers(transaction, keys));
    }
    if (!fresh.empty()) {
        TRY(transaction.exec(kInsert, insert_params(fresh)));
    }
    std::vector<Stored> results;
    results.reserve(batch.size());
    for (const auto* message : batch) {
        const auto* first = firsts.at(key_of(*message));
        if (claimed.contains(first->id)) {
            results.push_back({.duplicate = first != message, .ack = first->ack});
            continue;
        }
        const auto answer = answers.find(OwnKey(key_of(*message)));
        if (answer == answers.end()) {
            // The winner's row was purged between the two statements: come again.
            return fail(Code::aborted, "a duplicate's answer was purged");
        }
        results.push_back({.duplicate = true, .ack = answer->second});
    }
    return results;
}

}  // namespace

Result<std::vector<Stored>> PostgresStore::store(std::span<const NewMessage* const> batch) {
    return pool_->transact(Deadline::after(timeout_), [&](postgres::Transaction& transaction) {
        return write(transaction, batch);
    });
}

Result<void> PostgresStore::quarantine(std::span<const Quarantined* const> batch) {
    using Q = Quarantined;
    TRY(pool_->exec(Deadline::after(timeout_), kQuarantine,
                    {column(batch, [](const Q& q) { return q.id; }),
                     column(batch, [](const Q& q) { return q.received_at; }),
                     column(batch, [](const Q& q) { return q.size; }),
                     column(batch, [](const Q& q) { return std::string_view(q.peer); }),
                     column(batch, [](const Q& q) { return std::string_view(q.reason); }),
                     column(batch, [](const Q& q) { return Bytes{q.bytes}; })}));
    return {};
}

Result<void> PostgresStore::rehearse(const NewMessage& sample) {
    bool worked = false;
    const NewMessage* const batch = &sample;
    auto done = pool_->transact(Deadline::after(timeout_),
                                [&](postgres::Transaction& transaction) -> Result<void> {
                                    TRY(write(transaction, {&batch, 1}));
                                    worked = true;
                                    // An error rolls back.
                                    return fail(Code::cancelled, "rehearsed");
                                });
    return worked ? Result<void>() : done;
}

}  // namespace gantry::mllp
