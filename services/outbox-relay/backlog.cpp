#include "backlog.hpp"

#include <algorithm>

namespace gantry::relay {
namespace {

constexpr int kCursorPage = 1'000;
constexpr std::size_t kMostRows = 500;
constexpr std::size_t kRowOverhead = 512;

/// Which rows of a table are in the range. Numbers only, so that it can be part of the text.
std::string condition(const BacklogRange& range, std::int64_t after_id) {
    std::string sql = "id > " + std::to_string(after_id);
    if (range.from) {
        sql += " AND (xid >= '" + std::to_string(range.from->xmax) + "'::xid8";
        if (!range.from->in_progress.empty()) {
            sql += " OR xid = ANY('" + range.from->in_progress_array() + "'::xid8[])";
        }
        sql += ")";
    }
    if (range.to) {
        sql += " AND pg_visible_in_snapshot(xid, '" + range.to->to_string() + "')";
    }
    return sql;
}

constexpr const char* kFetchRows = R"(
    SELECT m.id, m.created_at, m.topic, m.key, m.type, m.payload, m.headers::text, m.trace,
           m.subject, m.source, m.content_type
    FROM unnest($1::bigint[], $2::xid8[], $3::timestamptz[]) AS k (id, xid, created_at)
    JOIN gantry.outbox_message m
        ON m.xid = k.xid AND m.id = k.id AND m.created_at = k.created_at
    ORDER BY m.id)";

}  // namespace

Outgoing to_outgoing(LedgerRow row, std::int64_t epoch, Position after) {
    Outgoing outgoing;
    outgoing.after = after;
    outgoing.committed = row.created;
    outgoing.outbox_id = row.id;
    if (auto record = to_record(row, epoch)) {
        outgoing.record = std::move(*record);
        return outgoing;
    } else {
        outgoing.refusal = std::move(record).error();
    }
    row.headers = "{}";
    if (auto record = to_record(std::move(row), epoch)) {
        outgoing.record = std::move(*record);
    }
    return outgoing;
}

Outgoing to_outgoing(const Wakeup& wakeup, Instant committed, std::string_view topic_prefix,
                     std::int64_t epoch, Position after) {
    Outgoing outgoing;
    outgoing.record = to_record(wakeup, committed, topic_prefix, epoch);
    outgoing.after = after;
    outgoing.committed = committed;
    return outgoing;
}

Result<void> Backlog::open(BacklogRange range) {
    range_ = std::move(range);
    wakeups_done_ = false;
    rows_done_ = false;
    entries_.clear();
    used_ = 0;
    std::string wakeups = "DECLARE wakeups NO SCROLL CURSOR FOR ";
    if (range_.wakeups == WakeupSource::rows) {
        wakeups +=
            "SELECT id, queue, job, dispatch, key, xid, created_at FROM gantry.outbox_wakeup"
            " WHERE " +
            condition(range_, range_.after_wakeup_id) + " ORDER BY id";
    } else {
        wakeups +=
            "SELECT 0, queue, job, dispatch, key, xid, clock_timestamp()"
            " FROM gantry.wakeups_after(" +
            (range_.from ? "'" + range_.from->to_string() + "'" : std::string("NULL")) + ")";
    }
    TRY(session_.exec(wakeups));
    TRY(
        session_.exec("DECLARE ledger NO SCROLL CURSOR FOR"
                      " SELECT id, xid, created_at, coalesce(octet_length(payload), 0)"
                      " FROM gantry.outbox_message WHERE " +
                      condition(range_, range_.after_id) + " ORDER BY id"));
    return {};
}

Result<std::vector<Outgoing>> Backlog::next(std::size_t bytes) {
    if (!wakeups_done_) {
        auto page = TRY(next_wakeups());
        if (!page.empty()) {
            return page;
        }
        wakeups_done_ = true;
    }
    if (!rows_done_) {
        auto page = TRY(next_rows(bytes));
        if (!page.empty()) {
            return page;
        }
        rows_done_ = true;
    }
    return std::vector<Outgoing>{};
}

Result<std::vector<Outgoing>> Backlog::next_wakeups() {
    const auto rows = TRY(session_.exec("FETCH 500 FROM wakeups"));
    std::vector<Outgoing> page;
    page.reserve(rows.size());
    for (const auto row : rows) {
        const Wakeup wakeup{row.get<std::string>(1), row.get<std::string>(2),
                            row.get<std::int64_t>(3), row.get<std::optional<std::string>>(4),
                            row.get<std::string>(5)};
        range_.after_wakeup_id = row.get<std::int64_t>(0);
        const Position after{static_cast<std::uint64_t>(range_.after_id),
                             static_cast<std::uint64_t>(range_.after_wakeup_id)};
        page.push_back(to_outgoing(wakeup, row.get<Instant>(6), topic_prefix_, epoch_, after));
    }
    return page;
}

Result<std::vector<Outgoing>> Backlog::next_rows(std::size_t bytes) {
    if (used_ == entries_.size()) {
        entries_.clear();
        used_ = 0;
        const auto rows =
            TRY(session_.exec("FETCH " + std::to_string(kCursorPage) + " FROM ledger"));
        for (const auto row : rows) {
            entries_.push_back({row.get<std::string>(0), row.get<std::string>(1),
                                row.get<std::string>(2), row.get<std::uint64_t>(3) + kRowOverhead});
        }
    }
    std::vector<Entry> wanted;
    std::size_t weight = 0;
    while (used_ < entries_.size() && wanted.size() < kMostRows &&
           (wanted.empty() || weight + entries_[used_].bytes <= bytes)) {
        weight += entries_[used_].bytes;
        wanted.push_back(std::move(entries_[used_++]));
    }
    if (wanted.empty()) {
        return std::vector<Outgoing>{};
    }
    auto rows = TRY(fetch(wanted));
    std::vector<Outgoing> page;
    page.reserve(rows.size());
    for (auto& row : rows) {
        range_.after_id = row.id;
        const Position after{static_cast<std::uint64_t>(row.id),
                             static_cast<std::uint64_t>(range_.after_wakeup_id)};
        page.push_back(to_outgoing(std::move(row), epoch_, after));
    }
    return page;
}

Result<std::vector<LedgerRow>> Backlog::fetch(const std::vector<Entry>& entries) {
    std::vector<std::string> ids;
    std::vector<std::string> xids;
    std::vector<std::string> created;
    for (const auto& entry : entries) {
        ids.push_back(entry.id);
        xids.push_back(entry.xid);
        created.push_back(entry.created);
    }
    const auto rows = TRY(session_.exec(
        kFetchRows, {postgres::array(ids), postgres::array(xids), postgres::array(created)}));
    if (rows.size() != entries.size()) {
        return fail(Code::aborted, "ledger rows vanished while they were read");
    }
    std::vector<LedgerRow> list;
    list.reserve(rows.size());
    for (const auto row : rows) {
        LedgerRow one;
        one.id = row.get<std::int64_t>(0);
        one.created = row.get<Instant>(1);
        one.topic = row.get<std::string>(2);
        one.key = row.get<std::optional<std::string>>(3);
        one.type = row.get<std::string>(4);
        one.payload = row.is_null(5) ? std::nullopt : std::optional(row.bytes(5));
        one.headers = row.get<std::string>(6);
        one.trace = row.get<std::optional<std::string>>(7);
        one.subject = row.get<std::optional<std::string>>(8);
        one.source = row.get<std::string>(9);
        one.content_type = row.get<std::string>(10);
        list.push_back(std::move(one));
    }
    return list;
}

}  // namespace gantry::relay
