#pragma once

#include "gantry/base/backoff.hpp"
#include "gantry/jobs/intake.hpp"
#include "gantry/kafka/record.hpp"
#include "gantry/postgres/pool.hpp"
#include "work.hpp"

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

namespace gantry::worker {

/// Takes records from the poll thread to the executors: reads them, makes jobs of producers' own
/// events, buries what is unusable, and starts those wake-ups that their rows confirm.
///
/// Everything that needs the database waits here while it is away, so the caller pauses when
/// `waiting()` is many. Used by the poll thread only.
class RecordDesk {
public:
    static constexpr std::size_t kBatch = 500;
    /// Payload bytes inside from which on no further payload is fetched.
    static constexpr std::size_t kMostBytes = std::size_t{64} << 20;

    RecordDesk(Work& work, postgres::Pool& pool, std::string dead_topic, Clock& clock)
        : work_(work), pool_(pool), dead_topic_(std::move(dead_topic)), clock_(clock) {}

    /// A record of the topic of `queue`, from a partition that the book has.
    void take(const kafka::Message& record, const jobs::Source& source, const std::string& queue);

    /// Does what can be done now, as long as what is inside weighs less than `kMostBytes`. An error
    /// means that the database is away: try again later.
    Result<void> step();

    /// Records that are not yet started, ended or buried.
    [[nodiscard]] std::size_t waiting() const {
        return unchecked_.size() + late_.size() + events_.size() + broken_.size();
    }

private:
    struct Unchecked {
        Arrival arrival;
        bool looked_again =
            false;  ///< The commit was seen and the row was not: once more, then gone.
        SteadyTime not_before{};
    };
    struct Event {
        jobs::ExternalEvent event;
        jobs::Source source;
        kafka::Message record;  ///< To be buried if it comes to that.
    };
    struct Broken {
        jobs::BrokenRecord record;
        jobs::Source source;
    };

    void admit(Arrival arrival);
    void drop_inactive();
    Result<void> bury();
    Result<void> bury_some(std::vector<Broken>& some);
    Result<void> make_jobs();
    Result<void> make_jobs_of(std::vector<Event>& events);
    Result<void> check();
    Result<void> ask_after_missing();
    void end(const Arrival& arrival, Work::Record record) {
        work_.end_arrival(arrival.wakeup.id, arrival.source, arrival.offset, record);
    }

    // Constant after construction.
    Work& work_;
    postgres::Pool& pool_;
    std::string dead_topic_;
    Clock& clock_;
    // Used by the poll thread.
    std::deque<Unchecked> unchecked_;
    std::deque<Unchecked> late_;
    std::vector<Event> events_;
    std::vector<Broken> broken_;
    std::size_t batch_ = 16;  // wake-ups a check: grows while their payloads are small
};

}  // namespace gantry::worker
