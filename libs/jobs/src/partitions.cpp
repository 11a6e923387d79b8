#include "gantry/jobs/partitions.hpp"

#include <map>

namespace gantry::jobs {
namespace {

constexpr std::string_view kClaim = R"sql(
INSERT INTO gantry.job_partition AS p (topic, partition, epoch, slots, clean, owner)
SELECT w.topic, w.partition, 1, $3::integer, false, $4
FROM unnest($1::text[], $2::integer[]) AS w (topic, partition)
ORDER BY w.topic, w.partition
ON CONFLICT (topic, partition) DO UPDATE SET
    epoch = p.epoch + 1, slots = excluded.slots, clean = false, owner = excluded.owner,
    assigned_at = clock_timestamp()
RETURNING p.topic, p.partition, p.epoch)sql";

constexpr std::string_view kRelease = R"sql(
UPDATE gantry.job_partition p SET clean = true
FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS w (topic, partition, epoch)
WHERE p.topic = w.topic AND p.partition = w.partition AND p.epoch = w.epoch)sql";

}  // namespace

Result<std::vector<Source>> PartitionStore::claim(
    std::span<const std::pair<std::string, std::int32_t>> partitions, int slots,
    Deadline deadline) {
    std::vector<Source> sources;
    if (partitions.empty()) {
        return sources;
    }
    postgres::Params topics, numbers;
    for (const auto& [topic, partition] : partitions) {
        topics.emplace_back(topic);
        numbers.emplace_back(partition);
    }
    const auto rows = TRY(pool_.exec(
        deadline, kClaim, {postgres::array(topics), postgres::array(numbers), slots, owner_}));
    std::map<std::pair<std::string, std::int32_t>, std::int64_t> epochs;
    for (const auto row : rows) {
        epochs.emplace(std::pair(row.get<std::string>(0), row.get<int>(1)),
                       row.get<std::int64_t>(2));
    }
    for (const auto& partition : partitions) {
        sources.push_back({partition.first, partition.second, epochs.at(partition)});
    }
    return sources;
}

Result<void> PartitionStore::release(std::span<const Source> sources, Deadline deadline) {
    if (sources.empty()) {
        return {};
    }
    postgres::Params topics, numbers, epochs;
    for (const auto& source : sources) {
        topics.emplace_back(source.topic);
        numbers.emplace_back(source.partition);
        epochs.emplace_back(source.epoch);
    }
    TRY(pool_.exec(deadline, kRelease,
                   {postgres::array(topics), postgres::array(numbers), postgres::array(epochs)}));
    return {};
}

}  // namespace gantry::jobs
