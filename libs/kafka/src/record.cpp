#include "gantry/kafka/record.hpp"

namespace gantry::kafka {

std::optional<std::string_view> find_header(const Headers& headers, std::string_view name) {
    for (auto header = headers.rbegin(); header != headers.rend(); ++header) {
        if (header->name == name) {
            if (!header->value) {
                return std::nullopt;
            }
            return *header->value;
        }
    }
    return std::nullopt;
}

std::size_t Record::weight() const {
    constexpr std::size_t kFixed = 256;  // librdkafka's own message and header objects
    std::size_t bytes = kFixed + topic.size();
    bytes += key ? key->size() : 0;
    bytes += value ? value->size() : 0;
    for (const auto& header : headers) {
        bytes += header.name.size() + (header.value ? header.value->size() : 0) + 32;
    }
    return bytes;
}

// MurmurHash2, 32 bits, with the seed of Kafka's DefaultPartitioner
// (org.apache.kafka.common.utils).
std::uint32_t murmur2(std::string_view key) {
    constexpr std::uint32_t kMultiplier = 0x5bd1e995;
    constexpr std::uint32_t kSeed = 0x9747b28c;
    const auto byte = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(key[i]));
    };
    auto hash = kSeed ^ static_cast<std::uint32_t>(key.size());
    std::size_t i = 0;
    for (; i + 4 <= key.size(); i += 4) {
        std::uint32_t word = byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24;
        word *= kMultiplier;
        word ^= word >> 24;
        word *= kMultiplier;
        hash = hash * kMultiplier ^ word;
    }
    if (const auto rest = key.size() - i; rest > 0) {
        for (std::size_t j = rest; j > 0; --j) {
            hash ^= byte(i + j - 1) << (8 * (j - 1));
        }
        hash *= kMultiplier;
    }
    hash ^= hash >> 13;
    hash *= kMultiplier;
    hash ^= hash >> 15;
    return hash;
}

std::int32_t partition_of(std::string_view key, std::int32_t partitions) {
    return static_cast<std::int32_t>(murmur2(key) & 0x7fffffff) % partitions;
}

}  // namespace gantry::kafka
