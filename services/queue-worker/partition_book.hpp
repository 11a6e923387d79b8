#pragma once

#include "gantry/jobs/completion.hpp"
#include "gantry/kafka/record.hpp"
#include "offset_tracker.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace gantry::worker {

/// The partitions this process has, the epochs under which it has them, and how far each is done.
/// Thread-safe. What is said about a source whose epoch is not the current one is ignored.
class PartitionBook {
public:
    /// Takes partitions in, as claimed.
    void open(std::span<const jobs::Source> sources);

    /// From now on no job of these partitions is started; ends still count.
    void drain(std::span<const jobs::Source> sources);

    /// Forgets these partitions.
    void close(std::span<const jobs::Source> sources);

    /// The partition's source, if this process has it and does not drain it.
    [[nodiscard]] std::optional<jobs::Source> source(const kafka::TopicPartition& partition) const;

    /// True if a job of this source may start.
    [[nodiscard]] bool active(const jobs::Source& source) const;

    [[nodiscard]] std::vector<jobs::Source> sources() const;

    void received(const jobs::Source& source, std::int64_t offset);
    void done(const jobs::Source& source, std::int64_t offset);

    /// Offsets that have risen since they were last taken.
    std::vector<kafka::TopicPartitionOffset> take_commits();
    /// These did not get through: they are offered again.
    void commit_failed(std::span<const kafka::TopicPartitionOffset> offsets);

    /// Records of these partitions received and not ended.
    [[nodiscard]] std::size_t unfinished(std::span<const jobs::Source> sources) const;

private:
    struct Page {
        std::int64_t epoch = 0;
        bool draining = false;
        OffsetTracker tracker;
    };
    [[nodiscard]] const Page* page_of(const jobs::Source& source) const;
    Page* page_of(const jobs::Source& source);

    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::map<kafka::TopicPartition, Page> pages_;
};

}  // namespace gantry::worker
