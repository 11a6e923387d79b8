#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace gantry::worker {

/// The low watermark of one partition: records end in any order, and the offset to commit is that
/// of the first record that has not ended. Pure; not thread-safe.
///
/// Offsets may have gaps (compaction, transaction markers): only what was received counts.
class OffsetTracker {
public:
    /// A record was received. Offsets rise; an earlier one than before means that reading went back
    /// (a topic made anew, a record handed out twice), and everything from it on comes again.
    void received(std::int64_t offset);

    /// The record has ended. Idempotent; an unknown offset is ignored.
    void done(std::int64_t offset);

    /// The offset to commit ("next to read") if it has risen since it was last taken.
    std::optional<std::int64_t> take_commit();

    /// The commit that was taken last did not get through: it is offered again.
    void commit_failed() { taken_ = -1; }

    /// Records received and not ended.
    [[nodiscard]] std::size_t open() const { return open_; }

private:
    void go_back(std::int64_t offset);

    struct Entry {
        std::int64_t offset;
        bool done;
    };
    std::deque<Entry> entries_;
    std::size_t open_ = 0;
    std::int64_t next_ = -1;   // "next to read" by what has ended, −1: nothing has
    std::int64_t taken_ = -1;  // what was given out by take_commit
};

}  // namespace gantry::worker
