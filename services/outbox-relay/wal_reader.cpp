#include "wal_reader.hpp"

#include "backlog.hpp"
#include "gantry/logging/log.hpp"
#include "slot_recovery.hpp"

#include <poll.h>

#include <algorithm>
#include <charconv>

namespace gantry::relay {
namespace {

constexpr milliseconds kStatusInterval{2'000};
constexpr milliseconds kLongestWait{250};
constexpr milliseconds kSlotRetry{200};
constexpr int kMessagesPerTurn = 500;

constexpr const char* kColumnNames[] = {"id",    "xid",     "created_at", "topic",
                                        "key",   "type",    "payload",    "headers",
                                        "trace", "subject", "source",     "content_type"};

Instant from_pg_time(PgTime time) {
    constexpr std::int64_t kEpochDifference = 946'684'800'000'000;
    return Instant{std::chrono::microseconds{time + kEpochDifference}};
}

template <class Number>
Result<Number> to_number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return fail(Code::data_loss, "a number in the stream is malformed", "BAD_STREAM");
    }
    return value;
}

std::unexpected<Error> missing_column(const std::string& table, const char* column) {
    return fail(Code::failed_precondition,
                "the table " + table + " has no readable column " + column, "MISSING_COLUMN");
}

}  // namespace

Result<Ended> WalReader::run(const std::stop_token& stop) {
    TRY(prepare(stop));
    while (!stop.stop_requested() && stream_) {
        TRY(turn());
        if (frozen_ && publisher_->idle()) {
            TRY(desk_.store.finish_handover(*handover_, desk_.epoch, *frozen_));
            logging::info("reading by polling from now on");
            return Ended::mode_changed;
        }
    }
    return drain();
}

Result<void> WalReader::prepare(const std::stop_token& stop) {
    slot_ = TRY(desk_.store.slot_name());
    stream_ = TRY(Replication::connect(desk_.options.postgres.current_url(), "outbox-relay"));
    system_identifier_ = TRY(stream_->system_identifier());
    auto checkpoint = TRY(desk_.store.load_checkpoint());
    if (checkpoint && checkpoint->system_identifier != system_identifier_) {
        return fail(Code::failed_precondition,
                    "the checkpoint is of another database cluster (a restore?): an operator has "
                    "to delete the row of gantry.outbox_checkpoint to publish everything anew",
                    "SYSTEM_CHANGED");
    }
    const auto state = TRY(desk_.store.slot_state(slot_));
    // Behind the slot's own position the server would skip silently.
    const bool usable = checkpoint && checkpoint->slot == slot_ && state && !state->lost &&
                        state->confirmed <= checkpoint->end_lsn;
    if (!usable) {
        stream_.reset();
        SlotRecovery recovery(desk_, slot_, system_identifier_);
        auto recovered = TRY(recovery.run(checkpoint, stop));
        if (!recovered) {
            return {};  // stopped
        }
        checkpoint = std::move(recovered);
        stream_ = TRY(Replication::connect(desk_.options.postgres.current_url(), "outbox-relay"));
    }
    base_ = stored_ = checkpoint->end_lsn;
    skip_ = checkpoint->tx_index;
    publisher_ = TRY(desk_.publisher({base_, skip_}));
    return start_stream(stop);
}

Result<void> WalReader::start_stream(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        TRY(desk_.keep({}));
        const auto started = stream_->start(slot_, base_);
        if (started) {
            desk_.report(health::Status::healthy, "leading, reading the WAL");
            logging::info("streaming from the slot",
                          {{"slot", slot_}, {"from", format_lsn(base_)}, {"epoch", desk_.epoch}});
            return {};
        }
        if (started.error().reason != "55006") {  // object in use
            return started;
        }
        // The leader before is frozen or its connection is half open.
        desk_.report(health::Status::degraded, "another session holds the slot");
        TRY(desk_.store.terminate_reader(slot_, desk_.epoch));
        desk_.context.clock.sleep_for(kSlotRetry, stop);
    }
    stream_.reset();
    return {};
}

Result<Ended> WalReader::drain() {
    if (!stream_ || !publisher_) {
        return Ended::stopped;
    }
    const auto deadline = Deadline::after(desk_.options.relay.drain_timeout);
    while (!publisher_->idle() && !deadline.expired()) {
        desk_.beat();
        TRY(publisher_->pump());
        settle_beats();
        if (desk_.context.clock.steady_now() >= next_tick_) {
            TRY(tick());
        }
        desk_.wait(std::min(kLongestWait, deadline.remaining()));
    }
    TRY(tick());
    TRY(confirm());
    return Ended::stopped;
}

Result<void> WalReader::turn() {
    const auto now = desk_.context.clock.steady_now();
    TRY(desk_.check_lease());
    TRY(publisher_->pump());
    settle_beats();
    if (now >= next_tick_) {
        TRY(tick());
    }
    bool more = false;
    if (!frozen_ && publisher_->ready()) {
        more = TRY(read());
    }
    if (reply_ || desk_.context.clock.steady_now() >= next_status_) {
        TRY(confirm());
    }
    if (more) {
        return {};
    }
    // Past the budget the socket is left alone, so that the server stops sending.
    const bool reading = !frozen_ && publisher_->ready();
    const auto events =
        static_cast<short>((reading ? POLLIN : 0) | (stream_->wants_write() ? POLLOUT : 0));
    const auto due = std::min(next_tick_, next_status_) - desk_.context.clock.steady_now();
    desk_.wait(std::clamp(std::chrono::ceil<milliseconds>(due), milliseconds{0}, kLongestWait),
               events != 0 ? stream_->fd() : -1, events);
    return stream_->wants_write() ? stream_->flush() : Result<void>{};
}

Result<void> WalReader::tick() {
    const auto progress = publisher_->tracker().progress();
    Tick tick;
    tick.checkpoint =
        Checkpoint{slot_, system_identifier_, progress.major, progress.minor, proven_};
    tick.heartbeat = true;
    const auto answer = TRY(desk_.keep(std::move(tick)));
    next_tick_ = desk_.context.clock.steady_now() + kTickInterval;
    proven_.reset();
    if (progress.major > stored_) {
        stored_ = progress.major;
        TRY(confirm());
    }
    if (handover_ && !last_beat_) {
        last_beat_ = answer.heartbeat;  // the first one written after the request was seen
    }
    if (answer.handover && answer.handover->to_reader == "polling") {
        handover_ = answer.handover;
    }
    desk_.refresh_gauges(slot_);
    return {};
}

Result<void> WalReader::confirm() {
    reply_ = false;
    next_status_ = desk_.context.clock.steady_now() + kStatusInterval;
    return stream_->send_status(stored_, desk_.context.clock.now());
}

Result<bool> WalReader::read() {
    for (int count = 0; count < kMessagesPerTurn; ++count) {
        if (frozen_ || !publisher_->ready()) {
            return false;
        }
        const auto body = TRY(stream_->next());
        if (!body) {
            return false;
        }
        const auto message = TRY(decode_wal_message(*body));
        if (const auto* data = std::get_if<WalData>(&message)) {
            TRY(handle(data->payload));
        } else {
            const auto& keepalive = std::get<Keepalive>(message);
            reply_ = reply_ || keepalive.reply_requested;
            if (!in_transaction_ && keepalive.wal_end > base_) {
                base_ = keepalive.wal_end;
                publisher_->mark({base_, 0});
            }
        }
    }
    return true;
}

Result<void> WalReader::handle(std::string_view message) {
    const auto event = TRY(decoder_.decode(message));
    return std::visit(
        [this](const auto& one) -> Result<void> {
            if constexpr (std::is_same_v<std::decay_t<decltype(one)>, Other>) {
                if (one.kind == 'R') {
                    columns_.clear();
                }
                return {};
            } else {
                return handle(one);
            }
        },
        event);
}

Result<void> WalReader::handle(const Begin& begin) {
    in_transaction_ = true;
    index_ = 0;
    committed_ = from_pg_time(begin.commit_time);
    return {};
}

Result<void> WalReader::handle(const Commit& commit) {
    in_transaction_ = false;
    skip_ = 0;
    base_ = commit.end_lsn;
    publisher_->mark({base_, 0});
    return {};
}

Result<void> WalReader::handle(const Insert& insert) {
    if (insert.relation->schema != "gantry") {
        return {};
    }
    if (insert.relation->name == "outbox_message") {
        return handle_row(insert);
    }
    if (insert.relation->name == "outbox_heartbeat") {
        return handle_beat(insert);
    }
    return {};
}

Result<void> WalReader::handle(const LogicalMessage& message) {
    // A message that is not transactional survives a rollback.
    if (!message.transactional || message.prefix != "gantry") {
        return {};
    }
    const auto wakeup = parse_wakeup(message.content);
    if (!wakeup) {
        desk_.stats.ignored();
        logging::warning("ignored a logical message", wakeup.error(),
                         {{"lsn", format_lsn(message.lsn)}});
        return {};
    }
    ++index_;
    if (index_ <= skip_ || skip(wakeup->xid)) {
        publisher_->mark({base_, index_});
        return {};
    }
    publish(to_outgoing(*wakeup, committed_, desk_.options.kafka.topic_prefix, desk_.epoch,
                        {base_, index_}));
    return {};
}

Result<void> WalReader::handle_row(const Insert& insert) {
    const auto& map = *TRY(columns_of(*insert.relation));
    const auto text = [&](Column column) -> std::optional<std::string> {
        const auto& value = insert.values[*map[column]];
        if (value.kind != Value::Kind::text) {
            return std::nullopt;
        }
        return std::string(value.text);
    };
    for (const auto column : {id, xid, created_at, topic, type, headers, source, content_type}) {
        if (insert.values[*map[column]].kind != Value::Kind::text) {
            return missing_column("gantry.outbox_message", kColumnNames[column]);
        }
    }
    ++index_;
    if (index_ <= skip_ || skip(insert.values[*map[xid]].text)) {
        publisher_->mark({base_, index_});
        return {};
    }
    LedgerRow row;
    row.id = TRY(to_number<std::int64_t>(insert.values[*map[id]].text));
    row.created = TRY(parse_timestamptz(insert.values[*map[created_at]].text));
    row.topic = *text(topic);
    row.key = text(key);
    row.type = *text(type);
    if (const auto& value = insert.values[*map[payload]]; value.kind == Value::Kind::text) {
        row.payload = TRY(parse_bytea(value.text));
    }
    row.headers = *text(headers);
    row.trace = text(trace);
    row.subject = text(subject);
    row.source = *text(source);
    row.content_type = *text(content_type);
    auto outgoing = to_outgoing(std::move(row), desk_.epoch, {base_, index_});
    outgoing.committed = committed_;
    publish(std::move(outgoing));
    return {};
}

Result<void> WalReader::handle_beat(const Insert& insert) {
    const auto text = [&](const char* column) -> std::string_view {
        const auto found = insert.relation->find(column);
        return found ? insert.values[*found].text : std::string_view{};
    };
    Proven proven;
    proven.heartbeat = TRY(to_number<std::int64_t>(text("id")));
    proven.snapshot = text("snapshot");
    proven.at = TRY(parse_timestamptz(text("created_at")));
    TRY(Snapshot::parse(proven.snapshot));
    // The beat came back: once all before it is finished, what its snapshot sees is published.
    const auto ticket = publisher_->mark({base_, index_});
    if (!beats_.empty() && beats_.back().ticket == ticket) {
        beats_.pop_back();
    }
    if (last_beat_ && proven.heartbeat == *last_beat_) {
        frozen_ = proven.snapshot;
    }
    beats_.push_back({ticket, std::move(proven)});
    return {};
}

Result<const WalReader::ColumnMap*> WalReader::columns_of(const Relation& relation) {
    auto found = columns_.find(relation.id);
    if (found == columns_.end()) {
        ColumnMap map;
        for (std::size_t column = 0; column < kColumns; ++column) {
            map[column] = relation.find(kColumnNames[column]);
            if (!map[column]) {
                return missing_column("gantry.outbox_message", kColumnNames[column]);
            }
        }
        found = columns_.emplace(relation.id, map).first;
    }
    return &found->second;
}

void WalReader::publish(Outgoing outgoing) {
    publisher_->offer(std::move(outgoing));
}

bool WalReader::skip(std::string_view text) const {
    if (!desk_.already_published) {
        return false;
    }
    const auto number = to_number<std::uint64_t>(text);
    return number && desk_.already_published->sees(*number);
}

void WalReader::settle_beats() {
    while (!beats_.empty() && publisher_->tracker().reached(beats_.front().ticket)) {
        proven_ = std::move(beats_.front().proven);
        beats_.pop_front();
    }
}

}  // namespace gantry::relay
