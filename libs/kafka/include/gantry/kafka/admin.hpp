#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"
#include "gantry/kafka/options.hpp"
#include "gantry/kafka/record.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gantry::kafka {

/// A topic as it should be.
struct TopicSpec {
    std::string name;
    int partitions = 1;
    int replication_factor = -1;  ///< −1: the broker's default.
    std::map<std::string, std::string> configs;
};

/// What became of one topic in a request.
struct TopicOutcome {
    std::string topic;
    bool changed = false;  ///< False if it was so already.
    Result<void> result;
};

/// Topics and offsets of the cluster. Thread-safe.
class Admin {
public:
    static Result<std::unique_ptr<Admin>> create(const Options& options);
    ~Admin();
    Admin(const Admin&) = delete;
    Admin& operator=(const Admin&) = delete;

    /// Creates topics; one that exists is fine and left as it is. `unimplemented` when the broker
    /// cannot create topics by request (an embedded one makes them when they are used).
    Result<std::vector<TopicOutcome>> create_topics(const std::vector<TopicSpec>& topics,
                                                    Deadline deadline);

    /// Deletes topics; one that does not exist is fine.
    Result<std::vector<TopicOutcome>> delete_topics(const std::vector<std::string>& topics,
                                                    Deadline deadline);

    /// How many partitions the topic has; nothing if it does not exist.
    Result<std::optional<int>> partitions(const std::string& topic, Deadline deadline);

    /// Every topic of the cluster with its number of partitions.
    Result<std::map<std::string, int>> topics(Deadline deadline);

    /// The offset after the last record of each of the partitions.
    Result<std::vector<TopicPartitionOffset>> end_offsets(
        const std::vector<TopicPartition>& partitions, Deadline deadline);

    /// Whether a broker answers.
    Result<void> ping(Deadline deadline);

private:
    class Impl;
    explicit Admin(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::kafka
