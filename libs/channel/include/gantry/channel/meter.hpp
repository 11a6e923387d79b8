#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

namespace gantry::channel {

/// Gets to know how one channel fares. A channel without a meter pays nothing for it.
///
/// Implementations are thread-safe; the channel calls them outside its locks.
class Meter {
public:
    virtual ~Meter() = default;

    /// The channel lives from now on: `depth` may be called on any thread until `detach` returns.
    virtual void attach(std::function<std::size_t()> depth, std::size_t capacity) = 0;
    virtual void detach() = 0;

    /// An item was taken this long after it was written. Only a sample of the items is timed.
    virtual void item_waited(std::chrono::nanoseconds duration) = 0;
    /// A write found no room and waited this long, however it ended.
    virtual void writer_waited(std::chrono::nanoseconds duration) = 0;
    /// A full channel dropped an item.
    virtual void dropped() = 0;
};

}  // namespace gantry::channel
