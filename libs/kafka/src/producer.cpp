#include "gantry/kafka/producer.hpp"

#include "client.hpp"
#include "errors.hpp"
#include "gantry/logging/log.hpp"
#include "partition_gate.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <limits>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace gantry::kafka {
namespace {

constexpr milliseconds kPoll{100};
constexpr milliseconds kCloseLimit{10'000};
constexpr std::size_t kMostPrepared = 1'000;

std::vector<Property> properties(const ProducerSettings& settings) {
    // librdkafka counts 1024 bytes at a time.
    const auto kilobytes = std::max<std::size_t>(settings.queue_bytes / 1024, 1);
    return {
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {"max.in.flight.requests.per.connection", "5"},
        {"linger.ms", std::to_string(settings.linger.count())},
        {"message.timeout.ms", std::to_string(settings.delivery_timeout.count())},
        {"message.max.bytes", std::to_string(settings.max_record_bytes)},
        // Under the brokers' usual limit, so that only a single record can be too large.
        {"batch.size", "512000"},
        {"queue.buffering.max.messages", std::to_string(settings.queue_records)},
        {"queue.buffering.max.kbytes", std::to_string(kilobytes)},
        {"topic.metadata.propagation.max.ms", std::to_string(settings.unknown_topic_grace.count())},
        {"retry.backoff.ms", "100"},
    };
}

rd_kafka_vu_t unit(rd_kafka_vtype_t type) {
    rd_kafka_vu_t value{};
    value.vtype = type;
    return value;
}

rd_kafka_vu_t bytes_unit(rd_kafka_vtype_t type, const std::optional<std::string>& bytes) {
    auto value = unit(type);
    // librdkafka takes a null pointer for null and any other pointer with size 0 for empty.
    value.u.mem.ptr = bytes ? const_cast<char*>(bytes->data()) : nullptr;
    value.u.mem.size = bytes ? bytes->size() : 0;
    return value;
}

using RawHeaders = std::unique_ptr<rd_kafka_headers_t, Destroy<rd_kafka_headers_destroy>>;

RawHeaders raw_headers(const Headers& headers) {
    if (headers.empty()) {
        return nullptr;
    }
    RawHeaders raw(rd_kafka_headers_new(headers.size()));
    for (const auto& [name, value] : headers) {
        rd_kafka_header_add(raw.get(), name.data(), static_cast<ssize_t>(name.size()),
                            value ? value->data() : nullptr,
                            value ? static_cast<ssize_t>(value->size()) : 0);
    }
    return raw;
}

Record record_of(const rd_kafka_message_t* message) {
    return {rd_kafka_topic_name(message->rkt),
            bytes_of(message->key, message->key_len),
            bytes_of(message->payload, message->len),
            headers_of(message),
            timestamp_of(message),
            std::nullopt};
}

/// A record that librdkafka holds.
struct Pending {
    Producer::OnDelivery on_delivery;
    PartitionGate* gate = nullptr;
    PartitionGate::Topic* topic = nullptr;
    std::int32_t partition = -1;  ///< Where it entered the gate.
    std::thread::id produces;     ///< The thread that is in `produce`.
    bool held_back = false;       ///< The gate did not let it in.
};

/// librdkafka asks in `produceva`, or later from a thread of its own if it did not know the topic.
std::int32_t choose_partition(const rd_kafka_topic_t* topic, const void* key, std::size_t length,
                              std::int32_t partitions, void* topic_opaque, void* opaque) {
    const auto chosen = rd_kafka_msg_partitioner_murmur2_random(topic, key, length, partitions,
                                                                topic_opaque, opaque);
    auto& pending = *static_cast<Pending*>(opaque);
    if (pending.produces == std::this_thread::get_id()) {
        if (!pending.gate->enter(*pending.topic, chosen)) {
            pending.held_back = true;
            // A partition that does not exist makes produceva refuse the record.
            // RD_KAFKA_PARTITION_UA would not: the record would be taken and wait for news of the
            // topic.
            return std::numeric_limits<std::int32_t>::max();
        }
    } else {
        pending.gate->move(*pending.topic, pending.partition, chosen);
    }
    pending.partition = chosen;
    return chosen;
}

}  // namespace

class Producer::Impl {
public:
    Impl(Handle client, const std::string& client_id, metrics::Registry& metrics)
        : client_(std::move(client)),
          events_(rd_kafka_queue_get_main(client_.get())),
          acknowledged_(delivered(metrics, client_id, "acknowledged")),
          refused_(delivered(metrics, client_id, "refused")),
          unsent_(delivered(metrics, client_id, "unsent")),
          queue_gauge_(metrics.gauge("gantry_kafka_producer_queue_records",
                                     "Records that wait for their delivery.",
                                     {{"client", client_id}})),
          thread_([this](const std::stop_token& stop) { serve(stop); }) {}

    ~Impl() {
        purge();
        {
            std::unique_lock lock(mutex_);
            emptied_.wait_for(lock, kCloseLimit, [this] { return waiting_.load() == 0; });
        }
        thread_.request_stop();
        thread_.join();
        queue_gauge_.set(0);
    }

    Result<void> produce(const Record& record, OnDelivery on_delivery) {
        if (record.partition && *record.partition < 0) {
            return fail(Code::invalid_argument, "the partition must not be negative",
                        "UNKNOWN_PARTITION");
        }
        auto* const topic_gate = gate_.enter(record.topic);
        if (topic_gate == nullptr) {
            return first_on_its_way();
        }
        auto pending = std::make_unique<Pending>(std::move(on_delivery), &gate_, topic_gate, -1,
                                                 std::this_thread::get_id());
        std::array<rd_kafka_vu_t, 8> units{};
        std::size_t count = 0;
        auto topic = unit(RD_KAFKA_VTYPE_TOPIC);
        topic.u.cstr = record.topic.c_str();
        units[count++] = topic;
        units[count++] = bytes_unit(RD_KAFKA_VTYPE_VALUE, record.value);
        units[count++] = bytes_unit(RD_KAFKA_VTYPE_KEY, record.key);
        auto flags = unit(RD_KAFKA_VTYPE_MSGFLAGS);
        flags.u.i = RD_KAFKA_MSG_F_COPY;
        units[count++] = flags;
        auto opaque = unit(RD_KAFKA_VTYPE_OPAQUE);
        opaque.u.ptr = pending.get();
        units[count++] = opaque;
        if (record.partition) {
            if (!gate_.enter(*topic_gate, *record.partition)) {
                gate_.leave(*topic_gate, -1, false);
                return first_on_its_way();
            }
            pending->partition = *record.partition;
            auto partition = unit(RD_KAFKA_VTYPE_PARTITION);
            partition.u.i32 = *record.partition;
            units[count++] = partition;
        }
        if (record.timestamp) {
            auto timestamp = unit(RD_KAFKA_VTYPE_TIMESTAMP);
            timestamp.u.i64 =
                std::chrono::duration_cast<milliseconds>(record.timestamp->time_since_epoch())
                    .count();
            units[count++] = timestamp;
        }
        auto headers = raw_headers(record.headers);
        if (headers) {
            auto value = unit(RD_KAFKA_VTYPE_HEADERS);
            value.u.headers = headers.get();
            units[count++] = value;
        }
        waiting_.fetch_add(1);
        const RawError error(rd_kafka_produceva(client_.get(), units.data(), count));
        if (error) {
            gate_.leave(*topic_gate, pending->partition, false);
            ended(1);
            return pending->held_back ? first_on_its_way() : std::unexpected(refusal(error.get()));
        }
        // librdkafka has the headers, and the callback comes back with the delivery.
        static_cast<void>(headers.release());
        static_cast<void>(pending.release());
        return {};
    }

    void prepare(const std::string& topic) {
        const std::lock_guard lock(prepared_mutex_);
        if (prepared_.size() < kMostPrepared && !prepared_.contains(topic)) {
            // A handle asks for the leaders when it is made, and keeps what it learns.
            prepared_.emplace(topic, rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
        }
    }

    Result<void> flush(Deadline deadline) {
        // Not rd_kafka_flush: events are ours. It would only cut the linger short.
        std::unique_lock lock(mutex_);
        if (!emptied_.wait_for(lock, deadline.remaining(),
                               [this] { return waiting_.load() == 0; })) {
            return fail(Code::deadline_exceeded,
                        std::to_string(waiting_.load()) + " records are not delivered");
        }
        return {};
    }

    void purge() {
        rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    }

    [[nodiscard]] std::optional<Error> fatal() const {
        std::array<char, 256> text{};
        const auto code = rd_kafka_fatal_error(client_.get(), text.data(), text.size());
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            return std::nullopt;
        }
        auto error = to_error(code, std::string(text.data()));
        error.code = Code::failed_precondition;
        error.reason = "FATAL";
        return error;
    }

    [[nodiscard]] std::size_t queued() const { return waiting_.load(); }

private:
    static metrics::Counter& delivered(metrics::Registry& metrics, const std::string& client_id,
                                       const char* outcome) {
        return metrics.counter("gantry_kafka_delivered_records_total",
                               "Records whose delivery ended, by outcome.",
                               {{"client", client_id}, {"outcome", outcome}});
    }

    static std::unexpected<Error> first_on_its_way() {
        return fail(Code::resource_exhausted, "the partition's first record is on its way",
                    "FIRST_RECORD");
    }

    static Error refusal(const rd_kafka_error_t* error) {
        auto converted = to_error(error, "the record was not taken");
        const auto code = rd_kafka_error_code(error);
        if (refuses_record(code)) {
            converted.code = Code::invalid_argument;
        } else if (code == RD_KAFKA_RESP_ERR__FATAL) {
            converted.code = Code::failed_precondition;
            converted.reason = "FATAL";
        }
        return converted;
    }

    void serve(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const RawEvent event(rd_kafka_queue_poll(events_.get(), timeout_ms(kPoll)));
            if (!event) {
                continue;
            }
            switch (rd_kafka_event_type(event.get())) {
                case RD_KAFKA_EVENT_DR:
                    deliver(event.get());
                    break;
                case RD_KAFKA_EVENT_ERROR:
                    report(event.get());
                    break;
                default:
                    break;
            }
        }
    }

    void deliver(rd_kafka_event_t* event) {
        std::size_t count = 0;
        while (const auto* message = rd_kafka_event_message_next(event)) {
            deliver(*message);
            ++count;
        }
        ended(count);
        queue_gauge_.set(static_cast<double>(waiting_.load()));
    }

    void deliver(const rd_kafka_message_t& message) {
        const std::unique_ptr<Pending> pending(static_cast<Pending*>(message._private));
        Delivery delivery;
        delivery.partition = message.partition;
        delivery.offset = message.offset;
        // Without an offset no broker has acknowledged this record: librdkafka concludes it from a
        // later one's success, which can be wrong (docs/adr/0008).
        const bool proven = message.err == RD_KAFKA_RESP_ERR_NO_ERROR && message.offset >= 0;
        gate_.leave(*pending->topic, pending->partition, proven);
        if (proven) {
            delivery.outcome = Outcome::acknowledged;
            acknowledged_.increment();
            pending->on_delivery(delivery);
            return;
        }
        const bool refused = refuses_record(message.err);
        delivery.outcome = refused ? Outcome::refused : Outcome::unsent;
        (refused ? refused_ : unsent_).increment();
        delivery.error =
            message.err == RD_KAFKA_RESP_ERR_NO_ERROR
                ? Error{Code::unavailable, "no broker has acknowledged the record", "UNPROVEN", {}}
                : to_error(message.err, "the record was not delivered");
        const Record record = record_of(&message);
        delivery.record = &record;
        pending->on_delivery(delivery);
    }

    void report(const rd_kafka_event_t* event) {
        const auto code = rd_kafka_event_error(const_cast<rd_kafka_event_t*>(event));
        if (code == RD_KAFKA_RESP_ERR__FATAL) {
            if (const auto error = fatal()) {
                logging::error("the Kafka producer failed and has to be made anew", *error);
            }
        } else {
            logging::debug("Kafka client error", {{"reason", rd_kafka_err2name(code)}});
        }
    }

    void ended(std::size_t count) {
        if (waiting_.fetch_sub(count) == count) {
            const std::lock_guard lock(mutex_);
            emptied_.notify_all();
        }
    }

    // Self-synchronised. Outlives the client, which asks it.
    PartitionGate gate_{system_clock()};
    // Constant after construction. The queue goes before the client.
    Handle client_;
    Queue events_;
    metrics::Counter& acknowledged_;
    metrics::Counter& refused_;
    metrics::Counter& unsent_;
    metrics::Gauge& queue_gauge_;
    // Self-synchronised.
    std::atomic<std::size_t> waiting_{0};
    std::mutex mutex_;
    std::condition_variable emptied_;
    // Guarded by prepared_mutex_.
    std::mutex prepared_mutex_;
    std::map<std::string, Topic> prepared_;
    // Last: it uses the rest.
    std::jthread thread_;
};

Result<std::unique_ptr<Producer>> Producer::create(const Options& options,
                                                   const ProducerSettings& settings,
                                                   metrics::Registry& metrics) {
    auto conf = TRY(make_conf(options, properties(settings)));
    rd_kafka_topic_conf_set_partitioner_cb(rd_kafka_conf_get_default_topic_conf(conf.get()),
                                           choose_partition);
    rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    auto client = TRY(make_client(RD_KAFKA_PRODUCER, std::move(conf)));
    return std::unique_ptr<Producer>(
        new Producer(std::make_unique<Impl>(std::move(client), options.client_id, metrics)));
}

Producer::Producer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Producer::~Producer() = default;

Result<void> Producer::produce(const Record& record, OnDelivery on_delivery) {
    return impl_->produce(record, std::move(on_delivery));
}
void Producer::prepare(const std::string& topic) {
    impl_->prepare(topic);
}
Result<void> Producer::flush(Deadline deadline) {
    return impl_->flush(deadline);
}
void Producer::purge() {
    impl_->purge();
}
std::optional<Error> Producer::fatal() const {
    return impl_->fatal();
}
std::size_t Producer::queued() const {
    return impl_->queued();
}

}  // namespace gantry::kafka
