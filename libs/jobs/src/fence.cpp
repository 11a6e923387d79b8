#include "fence.hpp"

#include <set>

namespace gantry::jobs {
namespace {

// Locked in one order everywhere, so that two batches never wait for each other.
constexpr std::string_view kLock = R"sql(
SELECT p.topic, p.partition, p.epoch
FROM unnest($1::text[], $2::integer[]) AS w (topic, partition)
JOIN gantry.job_partition p USING (topic, partition)
ORDER BY p.topic, p.partition
FOR SHARE OF p)sql";

}  // namespace

Result<EpochFence> EpochFence::lock(postgres::Transaction& transaction,
                                    std::span<const Source* const> sources) {
    std::set<std::pair<std::string, std::int32_t>> wanted;
    for (const auto* source : sources) {
        wanted.emplace(source->topic, source->partition);
    }
    postgres::Params topics, partitions;
    for (const auto& [topic, partition] : wanted) {
        topics.emplace_back(topic);
        partitions.emplace_back(partition);
    }
    EpochFence fence;
    const auto rows =
        TRY(transaction.exec(kLock, {postgres::array(topics), postgres::array(partitions)}));
    for (const auto row : rows) {
        fence.epochs_.emplace(std::pair(row.get<std::string>(0), row.get<int>(1)),
                              row.get<std::int64_t>(2));
    }
    return fence;
}

bool EpochFence::holds(const Source& source) const {
    const auto found = epochs_.find({source.topic, source.partition});
    return found != epochs_.end() && found->second == source.epoch;
}

}  // namespace gantry::jobs
