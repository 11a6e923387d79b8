#include "polling_reader.hpp"

#include "gantry/logging/log.hpp"
#include "replication.hpp"

#include <algorithm>

namespace gantry::relay {
namespace {

constexpr milliseconds kLongestWait{250};
constexpr milliseconds kSuspendAfter{5'000};
constexpr milliseconds kEagerFor{30'000};
constexpr std::size_t kPageBytes = std::size_t{2} << 20;

// One statement has one snapshot, so that what it does not find is not in the snapshot it tells.
constexpr const char* kPrepareLook = R"(
    PREPARE outbox_look (xid8, xid8[]) AS
    SELECT pg_current_snapshot()::text,
           EXISTS (SELECT FROM gantry.outbox_wakeup WHERE xid >= $1 OR xid = ANY($2)),
           EXISTS (SELECT FROM gantry.outbox_message WHERE xid >= $1 OR xid = ANY($2)),
           (SELECT epoch FROM gantry.outbox_lease WHERE shard = 0))";

// Index (xid, id) always: a table that grows and is dropped by days has no steady statistics.
const std::map<std::string, std::string> kSession = {{"enable_seqscan", "off"},
                                                     {"enable_hashjoin", "off"},
                                                     {"enable_mergejoin", "off"},
                                                     {"plan_cache_mode", "force_generic_plan"}};

}  // namespace

Result<Ended> PollingReader::run(const std::stop_token& stop) {
    TRY(prepare());
    desk_.report(health::Status::healthy, "leading, polling");
    logging::info("polling the outbox", {{"epoch", desk_.epoch}});
    while (!stop.stop_requested()) {
        if (const auto turned = turn(); !turned) {
            if (turned.error().code == Code::cancelled && stop.stop_requested()) {
                break;
            }
            return std::unexpected(turned.error());
        }
        if (TRY(finish_handover())) {
            return Ended::mode_changed;
        }
    }
    return drain();
}

Result<void> PollingReader::prepare() {
    reader_ = TRY(ReadingSession::open(desk_, kSession));
    TRY(reader_->exec(kPrepareLook));
    backlog_ = std::make_unique<Backlog>(*reader_, desk_.options.kafka.topic_prefix, desk_.epoch);
    cursor_ = TRY(desk_.store.load_cursor());
    read_from_ = cursor_.from;
    interval_ = desk_.options.relay.poll_min_interval;
    last_found_ = desk_.context.clock.steady_now();
    publisher_ = TRY(desk_.publisher({static_cast<std::uint64_t>(cursor_.last_id),
                                      static_cast<std::uint64_t>(cursor_.last_wakeup_id)}));
    if (cursor_.to) {
        return open_round(cursor_.to, cursor_.last_id, cursor_.last_wakeup_id);
    }
    return {};
}

Result<void> PollingReader::turn() {
    TRY(desk_.check_lease());
    TRY(publisher_->pump());
    settle();
    if (desk_.context.clock.steady_now() >= next_tick_) {
        TRY(tick());
    }
    if (reading()) {
        TRY(advance_round());
    } else if (!last_round_done_ && desk_.context.clock.steady_now() >= next_look_ &&
               publisher_->ready()) {
        TRY(look());
    }
    if (reading() && publisher_->ready()) {
        return {};
    }
    const auto due = std::min(next_tick_, reading() ? next_tick_ : next_look_) -
                     desk_.context.clock.steady_now();
    desk_.wait(std::clamp(std::chrono::ceil<milliseconds>(due), milliseconds{0}, kLongestWait));
    return {};
}

Result<void> PollingReader::tick() {
    Tick tick;
    tick.cursor = cursor_;
    const auto answer = TRY(desk_.keep(std::move(tick)));
    next_tick_ = desk_.context.clock.steady_now() + kTickInterval;
    if (answer.handover && answer.handover->to_reader == "wal") {
        handover_ = answer.handover;
    }
    if (!answer.handover && !slot_gone_) {
        slot_gone_ = TRY(drop_unused_slot());
    }
    desk_.refresh_gauges({});
    return {};
}

Result<Ended> PollingReader::drain() {
    const auto deadline = Deadline::after(desk_.options.relay.drain_timeout);
    // An open round is read no further; its stored place is where the next leader goes on.
    page_.clear();
    used_ = 0;
    while (!publisher_->idle() && !deadline.expired()) {
        desk_.beat();
        TRY(publisher_->pump());
        settle();
        if (desk_.context.clock.steady_now() >= next_tick_) {
            TRY(tick());
        }
        desk_.wait(std::min(kLongestWait, deadline.remaining()));
    }
    settle();
    TRY(tick());
    return Ended::stopped;
}

Result<void> PollingReader::look() {
    // During a change of mode the last round may be empty, and then it is simply over.
    const std::uint64_t xmax = read_from_ ? read_from_->xmax : 0;
    const std::string in_progress = read_from_ ? read_from_->in_progress_array() : "{}";
    const auto rows = TRY(reader_->exec("EXECUTE outbox_look('" + std::to_string(xmax) + "', '" +
                                        in_progress + "')"));
    const auto row = rows.front();
    if (row.get<std::int64_t>(3) != desk_.epoch) {
        return fail(Code::aborted, "another relay has taken the lease", "FENCED");
    }
    const bool found = row.get<bool>(1) || row.get<bool>(2);
    if (found) {
        if (handover_ && !last_round_done_) {
            last_round_done_ = true;
            auto last = TRY(Snapshot::parse(handover_->snapshot.value_or("")));
            TRY(open_round(std::move(last), 0, 0));
        } else if (!handover_) {
            TRY(open_round(std::nullopt, 0, 0));
        }
    } else {
        // Nothing lies between the two snapshots.
        if (!handover_) {
            read_from_ = TRY(Snapshot::parse(row.text(0)));
            if (rounds_.empty()) {
                cursor_ = {read_from_, std::nullopt, 0, 0};
            }
        } else {
            last_round_done_ = true;
        }
    }
    pace(found);
    return {};
}

void PollingReader::pace(bool found) {
    const auto& relay = desk_.options.relay;
    const auto now = desk_.context.clock.steady_now();
    if (found) {
        last_found_ = now;
        interval_ = relay.poll_min_interval;
        next_look_ = now;
        return;
    }
    if (now - last_found_ > kEagerFor) {
        interval_ = std::min(relay.poll_max_interval, interval_ + interval_ / 4 + milliseconds{1});
    }
    next_look_ = now + interval_;
}

Result<void> PollingReader::begin_transaction() {
    TRY(reader_->exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    return {};
}

Result<void> PollingReader::open_round(std::optional<Snapshot> to, std::int64_t after_id,
                                       std::int64_t after_wakeup_id) {
    TRY(begin_transaction());
    BacklogRange range;
    range.from = read_from_;
    range.to = to;
    range.after_id = after_id;
    range.after_wakeup_id = after_wakeup_id;
    TRY(backlog_->open(std::move(range)));
    if (!to) {
        const auto rows = TRY(reader_->exec("SELECT pg_current_snapshot()::text"));
        to = TRY(Snapshot::parse(rows.front().text(0)));
    }
    rounds_.push_back({std::move(*to), std::nullopt});
    suspended_ = false;
    page_.clear();
    used_ = 0;
    return {};
}

Result<void> PollingReader::advance_round() {
    while (publisher_->ready() && used_ < page_.size()) {
        publisher_->offer(std::move(page_[used_++]));
    }
    const auto now = desk_.context.clock.steady_now();
    if (!publisher_->ready()) {
        if (!blocked_) {
            blocked_ = true;
            blocked_since_ = now;
        } else if (!suspended_ && now - blocked_since_ > kSuspendAfter) {
            // An old snapshot would keep the database from cleaning up while Kafka is away.
            TRY(reader_->exec("ROLLBACK"));
            suspended_ = true;
        }
        return {};
    }
    blocked_ = false;
    if (suspended_) {
        TRY(begin_transaction());
        auto range = backlog_->position();
        range.to = rounds_.back().to;
        TRY(backlog_->open(std::move(range)));
        suspended_ = false;
    }
    page_ = TRY(backlog_->next(kPageBytes));
    used_ = 0;
    return page_.empty() ? end_round() : Result<void>{};
}

Result<void> PollingReader::end_round() {
    TRY(reader_->exec("COMMIT"));
    auto& round = rounds_.back();
    if (!last_round_done_) {
        read_from_ = round.to;
    }
    round.end = publisher_->mark({0, 0});
    settle();
    return {};
}

void PollingReader::settle() {
    const auto& tracker = publisher_->tracker();
    while (!rounds_.empty() && rounds_.front().end && tracker.reached(*rounds_.front().end)) {
        cursor_ = {rounds_.front().to, std::nullopt, 0, 0};
        rounds_.pop_front();
    }
    if (!rounds_.empty()) {
        const auto progress = tracker.progress();
        cursor_.to = rounds_.front().to;
        cursor_.last_id = static_cast<std::int64_t>(progress.major);
        cursor_.last_wakeup_id = static_cast<std::int64_t>(progress.minor);
    }
}

Result<bool> PollingReader::finish_handover() {
    if (!handover_ || !last_round_done_ || reading() || !publisher_->idle()) {
        return false;
    }
    const auto slot = handover_->slot.value_or(TRY(desk_.store.slot_name()));
    const auto state = TRY(desk_.store.slot_state(slot));
    const auto stream =
        TRY(Replication::connect(desk_.options.postgres.current_url(), "outbox-relay"));
    // A slot that is gone meanwhile is made anew from this checkpoint's snapshot.
    const Checkpoint checkpoint{slot, TRY(stream->system_identifier()),
                                state ? state->confirmed : 0, 0,
                                Proven{*handover_->snapshot, 0, desk_.context.clock.now()}};
    TRY(desk_.store.finish_handover(*handover_, desk_.epoch, checkpoint));
    desk_.already_published = read_from_;
    logging::info("reading the WAL from now on", {{"slot", slot}});
    return true;
}

Result<bool> PollingReader::drop_unused_slot() {
    const auto slot = TRY(desk_.store.slot_name());
    if (!TRY(desk_.store.slot_state(slot))) {
        return true;
    }
    // While the mode changes the slot may just have been made for the change.
    if (TRY(desk_.store.mode()) != "polling") {
        return false;
    }
    const bool gone = TRY(desk_.store.drop_slot(slot, desk_.epoch));
    if (gone) {
        logging::info("dropped the slot that polling does not need", {{"slot", slot}});
    }
    return gone;
}

}  // namespace gantry::relay
