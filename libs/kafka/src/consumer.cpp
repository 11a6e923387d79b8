#include "gantry/kafka/consumer.hpp"

#include "client.hpp"
#include "errors.hpp"
#include "gantry/logging/log.hpp"

#include <algorithm>
#include <map>

namespace gantry::kafka {
namespace {

constexpr milliseconds kCloseLimit{5'000};

std::string reset_name(OffsetReset reset) {
    switch (reset) {
        case OffsetReset::latest:
            return "latest";
        case OffsetReset::error:
            return "error";
        case OffsetReset::earliest:
            break;
    }
    return "earliest";
}

std::vector<Property> properties(const ConsumerSettings& settings) {
    const auto text = [](milliseconds time) { return std::to_string(time.count()); };
    return {
        {"group.id", settings.group},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", reset_name(settings.offset_reset)},
        // Cooperative rebalancing has bugs in this librdkafka (fixed in 2.10).
        {"partition.assignment.strategy", "range"},
        {"session.timeout.ms", text(settings.session_timeout)},
        {"heartbeat.interval.ms", text(settings.heartbeat)},
        {"max.poll.interval.ms",
         text(std::max(settings.max_poll_interval, settings.session_timeout))},
        {"topic.metadata.refresh.interval.ms", text(settings.topic_refresh)},
        {"queued.max.messages.kbytes", std::to_string(settings.fetched_bytes / 1024)},
        {"queued.min.messages", "1000"},
        {"isolation.level", "read_committed"},
        {"enable.partition.eof", "false"},
        {"fetch.error.backoff.ms", "100"},
        {"coordinator.query.interval.ms", "10000"},
    };
}

Error consumer_error(rd_kafka_resp_err_t code, const char* text) {
    auto error = to_error(code, text == nullptr ? "consuming" : text);
    // A topic that is not there yet appears by itself.
    if (error.code == Code::not_found) {
        error.code = Code::unavailable;
    }
    return error;
}

}  // namespace

class Consumer::Impl {
public:
    Impl(Handle client, const std::string& client_id, metrics::Registry& metrics)
        : client_(std::move(client)), metrics_(metrics), client_id_(client_id) {
        rd_kafka_poll_set_consumer(client_.get());
        events_.reset(rd_kafka_queue_get_consumer(client_.get()));
        records_.reset(rd_kafka_queue_new(client_.get()));
    }

    ~Impl() {
        if (const auto closed = close(Deadline::after(kCloseLimit)); !closed) {
            logging::warning("a Kafka consumer left its group without saying so", closed.error());
        }
        records_.reset();
        events_.reset();
        if (!closed_) {
            rd_kafka_destroy_flags(client_.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        }
    }

    Result<void> subscribe(const std::vector<std::string>& topics) {
        std::vector<TopicPartition> wanted;
        wanted.reserve(topics.size());
        for (const auto& topic : topics) {
            wanted.push_back({topic, RD_KAFKA_PARTITION_UA});
        }
        return check(rd_kafka_subscribe(client_.get(), to_list(wanted).get()), "subscribing");
    }

    Event poll(milliseconds timeout) {
        auto event = next(events_, paused_ ? timeout : milliseconds{0});
        if (!event && !paused_) {
            event = next(records_, timeout);
        }
        if (!event) {
            return Idle{};
        }
        switch (rd_kafka_event_type(event.get())) {
            case RD_KAFKA_EVENT_FETCH:
                return fetched(event.get());
            case RD_KAFKA_EVENT_REBALANCE:
                return rebalance(event.get());
            case RD_KAFKA_EVENT_OFFSET_COMMIT:
                return committed_event(event.get());
            case RD_KAFKA_EVENT_ERROR:
                return consumer_error(rd_kafka_event_error(event.get()),
                                      rd_kafka_event_error_string(event.get()));
            default:
                return Idle{};
        }
    }

    // Records go to a queue of their own, so that pausing means not to look there.
    // rd_kafka_pause_partitions is not used: it throws away what was fetched ahead, and near an
    // assignment it can overtake the order to start fetching, which is then dropped for good
    // (librdkafka issues 2190 and 5591).
    Result<void> assign(const rd_kafka_topic_partition_list_t* list) {
        for (const auto& one : partitions_of(list)) {
            const Queue partition(
                rd_kafka_queue_get_partition(client_.get(), one.topic.c_str(), one.partition));
            if (!partition) {
                return fail(Code::internal, "a partition has no queue");
            }
            rd_kafka_queue_forward(partition.get(), records_.get());
        }
        return check(rd_kafka_assign(client_.get(), list), "assigning partitions");
    }

    Result<void> unassign() {
        return check(rd_kafka_assign(client_.get(), nullptr), "giving partitions back");
    }

    void pause(bool paused) { paused_ = paused; }

    Result<void> seek(const TopicPartitionOffset& to, Deadline deadline) {
        const auto list = to_list(std::vector{to});
        const RawError error(
            rd_kafka_seek_partitions(client_.get(), list.get(), timeout_ms(deadline.remaining())));
        if (error) {
            return std::unexpected(to_error(error.get(), "seeking"));
        }
        return check(first_error(list.get()), "seeking");
    }

    Result<void> commit(const std::vector<TopicPartitionOffset>& offsets, Deadline deadline) {
        // Not rd_kafka_commit, which waits without a limit.
        const Queue answer(rd_kafka_queue_new(client_.get()));
        TRY(check(rd_kafka_commit_queue(client_.get(), to_list(offsets).get(), answer.get(),
                                        nullptr, nullptr),
                  "committing offsets"));
        const RawEvent event(rd_kafka_queue_poll(answer.get(), timeout_ms(deadline.remaining())));
        if (!event) {
            return fail(Code::deadline_exceeded, "the group coordinator did not answer the commit");
        }
        return commit_result(event.get());
    }

    Result<void> commit_async(const std::vector<TopicPartitionOffset>& offsets) {
        return check(rd_kafka_commit_queue(client_.get(), to_list(offsets).get(), events_.get(),
                                           nullptr, nullptr),
                     "committing offsets");
    }

    Result<std::vector<TopicPartitionOffset>> committed(
        const std::vector<TopicPartition>& partitions, Deadline deadline) {
        const auto list = to_list(partitions);
        TRY(check(rd_kafka_committed(client_.get(), list.get(), timeout_ms(deadline.remaining())),
                  "reading committed offsets"));
        TRY(check(first_error(list.get()), "reading committed offsets"));
        auto offsets = offsets_of(list.get());
        std::erase_if(offsets, [](const auto& committed) { return committed.offset < 0; });
        return offsets;
    }

    [[nodiscard]] std::vector<TopicPartition> assignment() const {
        rd_kafka_topic_partition_list_t* raw = nullptr;
        if (rd_kafka_assignment(client_.get(), &raw) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return {};
        }
        const List list(raw);
        return partitions_of(list.get());
    }

    Result<void> close(Deadline deadline) {
        if (closed_) {
            return {};
        }
        if (!closing_) {
            closing_ = true;
            const RawError error(rd_kafka_consumer_close_queue(client_.get(), events_.get()));
            if (error) {
                return std::unexpected(to_error(error.get(), "leaving the group"));
            }
        }
        while (rd_kafka_consumer_closed(client_.get()) == 0) {
            if (deadline.expired()) {
                return fail(Code::deadline_exceeded, "the group did not let the consumer go");
            }
            const auto wait = std::min(deadline.remaining(), milliseconds{100});
            const RawEvent event(rd_kafka_queue_poll(events_.get(), timeout_ms(wait)));
            if (event && rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_REBALANCE) {
                rd_kafka_assign(client_.get(), nullptr);
            }
        }
        closed_ = true;
        return {};
    }

private:
    static RawEvent next(const Queue& queue, milliseconds timeout) {
        return RawEvent(rd_kafka_queue_poll(
            queue.get(), static_cast<int>(std::clamp<std::int64_t>(timeout.count(), 0, 60'000))));
    }

    static Result<void> check(rd_kafka_resp_err_t code, std::string_view context) {
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return std::unexpected(to_error(code, context));
        }
        return {};
    }

    Event fetched(rd_kafka_event_t* event) {
        const auto* message = rd_kafka_event_message_next(event);
        if (message == nullptr) {
            return Idle{};
        }
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return consumer_error(message->err, rd_kafka_message_errstr(message));
        }
        Message record;
        record.topic = rd_kafka_topic_name(message->rkt);
        record.partition = message->partition;
        record.offset = message->offset;
        record.key = bytes_of(message->key, message->key_len);
        record.value = bytes_of(message->payload, message->len);
        record.headers = headers_of(message);
        record.timestamp = timestamp_of(message);
        consumed(record.topic).increment();
        return record;
    }

    Event rebalance(rd_kafka_event_t* event) {
        const auto code = rd_kafka_event_error(event);
        auto partitions = partitions_of(rd_kafka_event_topic_partition_list(event));
        if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
            return Assigned{std::move(partitions)};
        }
        // Any failure of a rebalance takes the partitions away, too.
        return Revoked{std::move(partitions), rd_kafka_assignment_lost(client_.get()) != 0};
    }

    static Result<void> commit_result(rd_kafka_event_t* event) {
        const auto code = rd_kafka_event_error(event);
        if (code == RD_KAFKA_RESP_ERR__NO_OFFSET) {
            return {};  // nothing to commit
        }
        TRY(check(code, "committing offsets"));
        return check(first_error(rd_kafka_event_topic_partition_list(event)), "committing offsets");
    }

    static Event committed_event(rd_kafka_event_t* event) {
        return Committed{offsets_of(rd_kafka_event_topic_partition_list(event)),
                         commit_result(event)};
    }

    metrics::Counter& consumed(const std::string& topic) {
        auto found = consumed_.find(topic);
        if (found == consumed_.end()) {
            auto& counter = metrics_.counter("gantry_kafka_consumed_records_total",
                                             "Records taken from Kafka, by topic.",
                                             {{"client", client_id_}, {"topic", topic}});
            found = consumed_.emplace(topic, &counter).first;
        }
        return *found->second;
    }

    // Constant after construction. The queues go before the client.
    Handle client_;
    Queue events_;   // what the group says, and answers to commits
    Queue records_;  // every assigned partition's
    metrics::Registry& metrics_;
    std::string client_id_;
    // Used by the polling thread only.
    std::map<std::string, metrics::Counter*> consumed_;
    bool paused_ = false;
    bool closing_ = false;
    bool closed_ = false;
};

Result<std::unique_ptr<Consumer>> Consumer::create(const Options& options,
                                                   const ConsumerSettings& settings,
                                                   metrics::Registry& metrics) {
    auto conf = TRY(make_conf(options, properties(settings)));
    rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_REBALANCE |
                                             RD_KAFKA_EVENT_OFFSET_COMMIT | RD_KAFKA_EVENT_ERROR);
    auto client = TRY(make_client(RD_KAFKA_CONSUMER, std::move(conf)));
    return std::unique_ptr<Consumer>(
        new Consumer(std::make_unique<Impl>(std::move(client), options.client_id, metrics)));
}

Consumer::Consumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Consumer::~Consumer() = default;

Result<void> Consumer::subscribe(const std::vector<std::string>& topics) {
    return impl_->subscribe(topics);
}
Event Consumer::poll(milliseconds timeout) {
    return impl_->poll(timeout);
}
Result<void> Consumer::assign(const std::vector<TopicPartition>& partitions) {
    return impl_->assign(to_list(partitions).get());
}
Result<void> Consumer::assign(const std::vector<TopicPartitionOffset>& offsets) {
    return impl_->assign(to_list(offsets).get());
}
Result<void> Consumer::unassign() {
    return impl_->unassign();
}
void Consumer::pause() {
    impl_->pause(true);
}
void Consumer::resume() {
    impl_->pause(false);
}
Result<void> Consumer::seek(const TopicPartitionOffset& to, Deadline deadline) {
    return impl_->seek(to, deadline);
}
Result<void> Consumer::commit(const std::vector<TopicPartitionOffset>& offsets, Deadline deadline) {
    return impl_->commit(offsets, deadline);
}
Result<void> Consumer::commit_async(const std::vector<TopicPartitionOffset>& offsets) {
    return impl_->commit_async(offsets);
}
Result<std::vector<TopicPartitionOffset>> Consumer::committed(
    const std::vector<TopicPartition>& partitions, Deadline deadline) {
    return impl_->committed(partitions, deadline);
}
std::vector<TopicPartition> Consumer::assignment() const {
    return impl_->assignment();
}
Result<void> Consumer::close(Deadline deadline) {
    return impl_->close(deadline);
}

}  // namespace gantry::kafka
