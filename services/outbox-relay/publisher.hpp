#pragma once

#include "gantry/base/result.hpp"
#include "gantry/kafka/producer.hpp"
#include "options.hpp"
#include "stats.hpp"
#include "topic_directory.hpp"
#include "tracker.hpp"
#include "wake_fd.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace gantry::relay {

/// A record on its way, with what has to be known of its origin.
struct Outgoing {
    kafka::Record record;
    Position after;  ///< Progress once it and all before it are finished.
    Instant committed;
    std::int64_t outbox_id = 0;    ///< Of the ledger; zero on the fast lane.
    std::optional<Error> refusal;  ///< Why it can be no record; then it is set aside unseen.
};

/// Where a record stands, as gantry.outbox_parked names it: `ledger:<id>`, `fast:<job>/<dispatch>`.
std::string position_of(const kafka::Record& record, std::int64_t outbox_id);

/// A record that Kafka will never take.
struct Refused {
    Tracker::Ticket ticket = 0;
    kafka::Record record;
    std::int64_t outbox_id = 0;
    std::string position;
    std::string reason;
    std::string error;
};

/// Carries records to Kafka without a barrier between batches, tracks what is open, and sets aside
/// what Kafka refuses. One lives for one stretch of reading; a new one starts with a new producer.
///
/// Used by the reader's thread alone; the producer's thread only fills the inbox and rings.
class Publisher {
public:
    /// Stores refused records for good, in one transaction.
    using Park = std::function<Result<void>(const std::vector<Refused>&)>;

    /// Where reading starts.
    struct Start {
        Position progress;
        std::set<std::string> parked;  ///< Positions that are not to be published again.
    };

    static Result<std::unique_ptr<Publisher>> create(const Options& options,
                                                     metrics::Registry& metrics, Clock& clock,
                                                     TopicDirectory& topics, Stats& stats,
                                                     WakeFd& bell, Start start, Park park);
    ~Publisher();
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;

    /// Whether another record may be offered: none is held and the budget is not used up.
    [[nodiscard]] bool ready() const;

    /// Takes a record over, in order. Only while `ready()`.
    void offer(Outgoing outgoing);

    /// A place between records; see `Tracker::mark`. Only while `ready()`.
    Tracker::Ticket mark(Position after) { return tracker_.mark(after); }

    /// Takes in what Kafka answered, parks what it refused, sends what is held. An error means that
    /// reading has to start anew from the stored progress: the producer failed, or this process no
    /// longer leads.
    Result<void> pump();

    [[nodiscard]] const Tracker& tracker() const { return tracker_; }

    /// Whether everything offered is finished.
    [[nodiscard]] bool idle() const { return tracker_.empty() && !held_; }

private:
    struct Acknowledged {
        Tracker::Ticket ticket;
        const std::string* topic;
    };
    // Filled by the producer's thread.
    struct Inbox {
        std::mutex mutex;
        std::vector<Acknowledged> acknowledged;
        std::vector<Refused> refused;
        std::optional<Error> failure;
    };
    struct Held {
        Outgoing outgoing;
        Tracker::Ticket ticket;
    };

    Publisher(const Options& options, Clock& clock, TopicDirectory& topics, Stats& stats,
              WakeFd& bell, Start start, Park park);
    /// False if the record has to wait.
    Result<bool> send(const Outgoing& outgoing, Tracker::Ticket ticket);
    void set_aside(const Outgoing& outgoing, Tracker::Ticket ticket, std::string reason,
                   std::string error);
    Result<void> park();
    void received(const kafka::Delivery& delivery, Tracker::Ticket ticket, std::int64_t outbox_id,
                  const std::string* topic);

    // Constant after construction.
    const Options& options_;
    Clock& clock_;
    TopicDirectory& topics_;
    Stats& stats_;
    WakeFd& bell_;
    Park park_;
    std::set<std::string> parked_;
    // Used by the reader's thread.
    Tracker tracker_;
    std::optional<Held> held_;
    std::optional<Error> failure_;
    std::vector<Refused> refused_;
    SteadyTime next_park_{};
    std::set<std::string> topic_names_;  // stable addresses for the inbox
    // Guarded by its mutex.
    Inbox inbox_;
    // Last: its thread uses the inbox.
    std::unique_ptr<kafka::Producer> producer_;
};

}  // namespace gantry::relay
