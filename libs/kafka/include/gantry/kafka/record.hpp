#pragma once

#include "gantry/base/clock.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::kafka {

/// One header of a record. A name may appear more than once; the value may be null.
struct Header {
    std::string name;
    std::optional<std::string> value;
    friend bool operator==(const Header&, const Header&) = default;
};

using Headers = std::vector<Header>;

/// The last value of the header `name`, as Kafka's own clients read it; nothing if it is absent or
/// null.
std::optional<std::string_view> find_header(const Headers& headers, std::string_view name);

/// A record to be produced.
struct Record {
    std::string topic;
    std::optional<std::string> key;    ///< Null: any partition.
    std::optional<std::string> value;  ///< Null: a tombstone.
    Headers headers;
    std::optional<Instant> timestamp;       ///< Now if absent.
    std::optional<std::int32_t> partition;  ///< By the key's murmur2 hash if absent.

    /// What the record weighs in a queue: key, value, headers and a fixed share for the rest.
    [[nodiscard]] std::size_t weight() const;
    friend bool operator==(const Record&, const Record&) = default;
};

/// A partition of a topic.
struct TopicPartition {
    std::string topic;
    std::int32_t partition = 0;
    friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

/// A place in a partition: the offset of the next record to read.
struct TopicPartitionOffset {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    friend auto operator<=>(const TopicPartitionOffset&, const TopicPartitionOffset&) = default;
};

/// A record that was consumed.
struct Message {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    std::optional<std::string> key;
    std::optional<std::string> value;
    Headers headers;
    Instant timestamp{};

    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const {
        return find_header(headers, name);
    }
};

/// The hash that JVM producers and `murmur2_random` choose a key's partition with.
std::uint32_t murmur2(std::string_view key);

/// The partition of `key` among `partitions`, as a JVM producer chooses it.
std::int32_t partition_of(std::string_view key, std::int32_t partitions);

}  // namespace gantry::kafka
