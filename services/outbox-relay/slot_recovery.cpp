#include "slot_recovery.hpp"

#include "backlog.hpp"
#include "gantry/logging/log.hpp"
#include "replication.hpp"

#include <poll.h>

namespace gantry::relay {
namespace {

constexpr milliseconds kRetry{200};
constexpr milliseconds kWait{100};
constexpr std::size_t kPageBytes = std::size_t{2} << 20;

}  // namespace

Result<std::optional<Checkpoint>> SlotRecovery::run(const std::optional<Checkpoint>& last,
                                                    const std::stop_token& stop) {
    std::optional<Snapshot> from;
    if (last && last->proven) {
        from = TRY(Snapshot::parse(last->proven->snapshot));
    }
    logging::warning(last ? "the replication slot is lost; making a new one and publishing what "
                            "the checkpoint does not hold"
                          : "making the replication slot and publishing what waits",
                     {{"slot", slot_}, {"epoch", desk_.epoch}});
    desk_.report(health::Status::degraded, "making the replication slot");
    TRY(drop_old(stop));
    auto stream = TRY(Replication::connect(desk_.options.postgres.current_url(), "outbox-relay"));
    TRY(stream->begin_create_slot(slot_));
    std::optional<CreatedSlot> created;
    while (!created && !stop.stop_requested()) {
        created = TRY(stream->created_slot());
        if (!created) {
            desk_.wait(kWait, stream->fd(), POLLIN);
            TRY(keep_lease());
        }
    }
    if (!created) {
        return std::optional<Checkpoint>{};
    }
    auto reader = TRY(ReadingSession::open(
        desk_,
        {{"enable_seqscan", "off"}, {"enable_hashjoin", "off"}, {"enable_mergejoin", "off"}}));
    TRY(reader->exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    TRY(reader->exec("SET TRANSACTION SNAPSHOT '" + created->snapshot_name + "'"));
    stream.reset();  // imported: the exporting session may go
    const auto rows = TRY(reader->exec("SELECT pg_current_snapshot()::text"));
    const auto snapshot = rows.front().get<std::string>(0);

    const auto published = publish(*reader, std::move(from), stop);
    if (stop.stop_requested() && !published.value_or(false)) {
        return std::optional<Checkpoint>{};
    }
    TRY(published);
    Tick tick;
    tick.checkpoint = Checkpoint{slot_, system_identifier_, created->consistent_point, 0,
                                 Proven{snapshot, 0, desk_.context.clock.now()}};
    auto checkpoint = tick.checkpoint;
    TRY(desk_.keep(std::move(tick)));
    return checkpoint;
}

Result<void> SlotRecovery::drop_old(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        TRY(keep_lease());
        if (TRY(desk_.store.drop_slot(slot_, desk_.epoch))) {
            return {};
        }
        TRY(desk_.store.terminate_reader(slot_, desk_.epoch));
        desk_.context.clock.sleep_for(kRetry, stop);
    }
    return {};
}

Result<bool> SlotRecovery::publish(ReadingSession& reader, std::optional<Snapshot> from,
                                   const std::stop_token& stop) {
    auto publisher = TRY(desk_.publisher({}));
    Backlog backlog(reader, desk_.options.kafka.topic_prefix, desk_.epoch);
    BacklogRange range;
    range.from = std::move(from);
    range.wakeups = WakeupSource::jobs;
    TRY(backlog.open(std::move(range)));
    std::vector<Outgoing> page;
    std::size_t used = 0;
    bool end = false;
    std::size_t count = 0;
    while (!(end && publisher->idle())) {
        if (stop.stop_requested()) {
            return false;
        }
        TRY(publisher->pump());
        while (publisher->ready() && used < page.size()) {
            publisher->offer(std::move(page[used++]));
            ++count;
        }
        if (!end && used == page.size() && publisher->ready()) {
            page = TRY(backlog.next(kPageBytes));
            used = 0;
            end = page.empty();
        } else {
            desk_.wait(kWait);
        }
        if (desk_.context.clock.steady_now() >= next_keep_) {
            TRY(keep_lease());
            // The server ends a transaction that is idle for long, as it should for a dead relay.
            TRY(reader.exec("SELECT 1"));
        }
    }
    logging::info("published what waited in the tables", {{"records", count}});
    return true;
}

Result<void> SlotRecovery::keep_lease() {
    const auto now = desk_.context.clock.steady_now();
    if (now < next_keep_) {
        return {};
    }
    TRY(desk_.keep({}));
    next_keep_ = now + kTickInterval;
    if (const auto writers = desk_.store.oldest_writers(); writers && !writers->empty()) {
        desk_.report(health::Status::degraded,
                     "making the replication slot; open write transactions: " + *writers);
    }
    return {};
}

}  // namespace gantry::relay
