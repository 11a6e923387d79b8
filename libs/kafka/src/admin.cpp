#include "gantry/kafka/admin.hpp"

#include "client.hpp"
#include "errors.hpp"

#include <array>
#include <functional>

namespace gantry::kafka {
namespace {

using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, Destroy<rd_kafka_NewTopic_destroy>>;
using DeleteTopic = std::unique_ptr<rd_kafka_DeleteTopic_t, Destroy<rd_kafka_DeleteTopic_destroy>>;
using AdminOptions =
    std::unique_ptr<rd_kafka_AdminOptions_t, Destroy<rd_kafka_AdminOptions_destroy>>;

struct DestroyMetadata {
    void operator()(const struct rd_kafka_metadata* metadata) const {
        rd_kafka_metadata_destroy(metadata);
    }
};
using Metadata = std::unique_ptr<const struct rd_kafka_metadata, DestroyMetadata>;

constexpr milliseconds kMargin{500};  // for the answer to come back within the deadline

}  // namespace

class Admin::Impl {
public:
    explicit Impl(Handle client) : client_(std::move(client)) {}

    Result<std::vector<TopicOutcome>> create_topics(const std::vector<TopicSpec>& topics,
                                                    Deadline deadline) {
        if (topics.empty()) {
            return std::vector<TopicOutcome>{};
        }
        std::vector<NewTopic> owned;
        std::vector<rd_kafka_NewTopic_t*> raw;
        for (const auto& topic : topics) {
            std::array<char, 256> text{};
            owned.emplace_back(rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions,
                                                     topic.replication_factor, text.data(),
                                                     text.size()));
            if (!owned.back()) {
                return fail(Code::invalid_argument, "topic " + topic.name + ": " + text.data());
            }
            for (const auto& [name, value] : topic.configs) {
                rd_kafka_NewTopic_set_config(owned.back().get(), name.c_str(), value.c_str());
            }
            raw.push_back(owned.back().get());
        }
        const auto options = admin_options(RD_KAFKA_ADMIN_OP_CREATETOPICS, deadline);
        const auto event = TRY(request(deadline, [&](rd_kafka_queue_t* queue) {
            rd_kafka_CreateTopics(client_.get(), raw.data(), raw.size(), options.get(), queue);
        }));
        const auto* result = rd_kafka_event_CreateTopics_result(event.get());
        std::size_t count = 0;
        const auto** outcomes = rd_kafka_CreateTopics_result_topics(result, &count);
        return outcomes_of(outcomes, count, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
    }

    Result<std::vector<TopicOutcome>> delete_topics(const std::vector<std::string>& topics,
                                                    Deadline deadline) {
        if (topics.empty()) {
            return std::vector<TopicOutcome>{};
        }
        std::vector<DeleteTopic> owned;
        std::vector<rd_kafka_DeleteTopic_t*> raw;
        for (const auto& topic : topics) {
            owned.emplace_back(rd_kafka_DeleteTopic_new(topic.c_str()));
            raw.push_back(owned.back().get());
        }
        const auto options = admin_options(RD_KAFKA_ADMIN_OP_DELETETOPICS, deadline);
        const auto event = TRY(request(deadline, [&](rd_kafka_queue_t* queue) {
            rd_kafka_DeleteTopics(client_.get(), raw.data(), raw.size(), options.get(), queue);
        }));
        const auto* result = rd_kafka_event_DeleteTopics_result(event.get());
        std::size_t count = 0;
        const auto** outcomes = rd_kafka_DeleteTopics_result_topics(result, &count);
        return outcomes_of(outcomes, count, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    }

    Result<std::optional<int>> partitions(const std::string& topic, Deadline deadline) {
        const Topic handle(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
        if (!handle) {
            return std::unexpected(to_error(rd_kafka_last_error(), "topic " + topic));
        }
        const auto metadata = TRY(read_metadata(handle.get(), 0, deadline));
        if (metadata->topic_cnt != 1) {
            return std::optional<int>{};
        }
        const auto& found = metadata->topics[0];
        if (found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
            found.err == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION) {
            return std::optional<int>{};
        }
        if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return std::unexpected(to_error(found.err, "topic " + topic));
        }
        return std::optional<int>(found.partition_cnt);
    }

    Result<std::map<std::string, int>> topics(Deadline deadline) {
        const auto metadata = TRY(read_metadata(nullptr, 1, deadline));
        std::map<std::string, int> found;
        for (int i = 0; i < metadata->topic_cnt; ++i) {
            if (metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
                found.emplace(metadata->topics[i].topic, metadata->topics[i].partition_cnt);
            }
        }
        return found;
    }

    Result<std::vector<TopicPartitionOffset>> end_offsets(
        const std::vector<TopicPartition>& partitions, Deadline deadline) {
        std::vector<TopicPartitionOffset> ends;
        for (const auto& [topic, partition] : partitions) {
            std::int64_t low = 0;
            std::int64_t high = 0;
            const auto code =
                rd_kafka_query_watermark_offsets(client_.get(), topic.c_str(), partition, &low,
                                                 &high, timeout_ms(deadline.remaining()));
            if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
                return std::unexpected(to_error(code, "reading end offsets"));
            }
            ends.push_back({topic, partition, high});
        }
        return ends;
    }

    Result<void> ping(Deadline deadline) {
        TRY(read_metadata(nullptr, 0, deadline));
        return {};
    }

private:
    Result<Metadata> read_metadata(rd_kafka_topic_t* topic, int all, Deadline deadline) {
        const struct rd_kafka_metadata* raw = nullptr;
        const auto code =
            rd_kafka_metadata(client_.get(), all, topic, &raw, timeout_ms(deadline.remaining()));
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return std::unexpected(to_error(code, "reading the cluster's metadata"));
        }
        return Metadata(raw);
    }

    AdminOptions admin_options(rd_kafka_admin_op_t operation, Deadline deadline) {
        AdminOptions options(rd_kafka_AdminOptions_new(client_.get(), operation));
        const auto limit = std::min(deadline.remaining(), milliseconds{60'000});
        std::array<char, 128> text{};
        rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms(limit), text.data(),
                                                  text.size());
        rd_kafka_AdminOptions_set_operation_timeout(options.get(), timeout_ms(limit - kMargin),
                                                    text.data(), text.size());
        return options;
    }

    /// Sends a request and waits for its answer.
    Result<RawEvent> request(Deadline deadline,
                             const std::function<void(rd_kafka_queue_t*)>& send) {
        const Queue answers(rd_kafka_queue_new(client_.get()));
        send(answers.get());
        RawEvent event(
            rd_kafka_queue_poll(answers.get(), timeout_ms(deadline.remaining() + kMargin)));
        if (!event) {
            return fail(Code::deadline_exceeded, "Kafka did not answer a request about topics");
        }
        const auto code = rd_kafka_event_error(event.get());
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return std::unexpected(to_error(code, "a request about topics"));
        }
        return event;
    }

    static std::vector<TopicOutcome> outcomes_of(const rd_kafka_topic_result_t** results,
                                                 std::size_t count, rd_kafka_resp_err_t fine) {
        std::vector<TopicOutcome> outcomes;
        for (std::size_t i = 0; i < count; ++i) {
            const auto code = rd_kafka_topic_result_error(results[i]);
            TopicOutcome outcome;
            outcome.topic = rd_kafka_topic_result_name(results[i]);
            outcome.changed = code == RD_KAFKA_RESP_ERR_NO_ERROR;
            if (!outcome.changed && code != fine) {
                outcome.result = std::unexpected(to_error(code, "topic " + outcome.topic));
            }
            outcomes.push_back(std::move(outcome));
        }
        return outcomes;
    }

    Handle client_;
};

Result<std::unique_ptr<Admin>> Admin::create(const Options& options) {
    auto conf = TRY(make_conf(options, {}));
    auto client = TRY(make_client(RD_KAFKA_PRODUCER, std::move(conf)));
    return std::unique_ptr<Admin>(new Admin(std::make_unique<Impl>(std::move(client))));
}

Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::~Admin() = default;

Result<std::vector<TopicOutcome>> Admin::create_topics(const std::vector<TopicSpec>& topics,
                                                       Deadline deadline) {
    return impl_->create_topics(topics, deadline);
}
Result<std::vector<TopicOutcome>> Admin::delete_topics(const std::vector<std::string>& topics,
                                                       Deadline deadline) {
    return impl_->delete_topics(topics, deadline);
}
Result<std::optional<int>> Admin::partitions(const std::string& topic, Deadline deadline) {
    return impl_->partitions(topic, deadline);
}
Result<std::map<std::string, int>> Admin::topics(Deadline deadline) {
    return impl_->topics(deadline);
}
Result<std::vector<TopicPartitionOffset>> Admin::end_offsets(
    const std::vector<TopicPartition>& partitions, Deadline deadline) {
    return impl_->end_offsets(partitions, deadline);
}
Result<void> Admin::ping(Deadline deadline) {
    return impl_->ping(deadline);
}

}  // namespace gantry::kafka
