#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"
#include "gantry/kafka/options.hpp"
#include "gantry/kafka/record.hpp"
#include "gantry/metrics/registry.hpp"

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace gantry::kafka {

/// Where a group starts to read a partition for which it has no valid offset.
enum class OffsetReset { earliest, latest, error };

/// Settings of one consumer, beside how to reach Kafka.
struct ConsumerSettings {
    std::string group;
    OffsetReset offset_reset = OffsetReset::earliest;
    milliseconds session_timeout{6'000};
    milliseconds heartbeat{1'000};
    milliseconds max_poll_interval{300'000};  ///< Longer without a `poll`: out of the group.
    milliseconds topic_refresh{2'000};        ///< How soon a topic that appears is noticed.
    std::size_t fetched_bytes = std::size_t{16} << 20;  ///< Most bytes fetched ahead.
};

/// Nothing came within the timeout.
struct Idle {};

/// The group gave these partitions to this consumer, which reads none until `assign` is called.
struct Assigned {
    std::vector<TopicPartition> partitions;
};

/// The group takes the partitions back. Finish or drop their work, commit, then call `unassign`;
/// the group waits for it.
struct Revoked {
    std::vector<TopicPartition> partitions;
    bool lost = false;  ///< Already another's: commits for them are refused.
};

/// How an asynchronous commit ended.
struct Committed {
    std::vector<TopicPartitionOffset> offsets;
    Result<void> result;
};

/// What one `poll` gave. A fault is of code `unavailable` when it passes by itself (broker away,
/// topic not there yet), `data_loss` with reason `OFFSET_OUT_OF_RANGE` or `AUTO_OFFSET_RESET` when
/// records are gone and `OffsetReset::error` is set, else what Kafka said.
using Event = std::variant<Idle, Message, Assigned, Revoked, Committed, Error>;

/// A member of a consumer group, with eager `range` assignment and explicit commits only.
///
/// Nothing runs in callbacks: `poll` hands out everything in order, on the caller's thread. One
/// thread polls, pauses, assigns and closes; the commits may come from others.
class Consumer {
public:
    /// `invalid_argument` if librdkafka refuses a setting. Does not wait for a broker.
    static Result<std::unique_ptr<Consumer>> create(const Options& options,
                                                    const ConsumerSettings& settings,
                                                    metrics::Registry& metrics);

    /// Closes with a limit of five seconds if that was not done.
    ~Consumer();
    Consumer(const Consumer&) = delete;
    Consumer& operator=(const Consumer&) = delete;

    /// Joins the group for these topics, replacing those before. Topics may appear later.
    Result<void> subscribe(const std::vector<std::string>& topics);

    /// The next event, waiting at most `timeout`. To be called also while paused. What the group
    /// says comes before records.
    Event poll(milliseconds timeout);

    /// Answers `Assigned`: starts to read at the committed offsets.
    Result<void> assign(const std::vector<TopicPartition>& partitions);
    /// The same from explicit offsets.
    Result<void> assign(const std::vector<TopicPartitionOffset>& offsets);
    /// Answers `Revoked`.
    Result<void> unassign();

    /// From now on `poll` gives no records; those fetched ahead wait, bounded by `fetched_bytes`,
    /// and nothing more is fetched. May be called at any time and as often as one likes.
    void pause();
    /// Goes on with the next record.
    void resume();

    /// Goes on at another offset of an assigned partition.
    Result<void> seek(const TopicPartitionOffset& to, Deadline deadline);

    /// Commits "next to read" offsets and waits for the answer. `failed_precondition` when the
    /// group has moved on.
    Result<void> commit(const std::vector<TopicPartitionOffset>& offsets, Deadline deadline);
    /// Commits without waiting; `poll` gives a `Committed` later.
    Result<void> commit_async(const std::vector<TopicPartitionOffset>& offsets);

    /// The group's committed offsets; a partition without one is left out.
    Result<std::vector<TopicPartitionOffset>> committed(
        const std::vector<TopicPartition>& partitions, Deadline deadline);

    /// The group's assignment as this consumer answered it.
    [[nodiscard]] std::vector<TopicPartition> assignment() const;

    /// Leaves the group, dropping its partitions; commit before. Idempotent. `deadline_exceeded`
    /// if the group did not answer in time: then it notices by the session timeout.
    Result<void> close(Deadline deadline);

private:
    class Impl;
    explicit Consumer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::kafka
