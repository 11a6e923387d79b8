#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"
#include "gantry/kafka/options.hpp"
#include "gantry/kafka/record.hpp"
#include "gantry/metrics/registry.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace gantry::kafka {

/// How a record's delivery ended.
enum class Outcome {
    acknowledged,  ///< Every in-sync replica has it, and the broker said where.
    refused,       ///< Kafka will never take this record; sending it again is pointless.
    unsent,        ///< Not this record's fault: its time ran out, or the producer closed or failed.
};

/// The end of one record's delivery.
struct Delivery {
    Outcome outcome = Outcome::unsent;
    std::int32_t partition = -1;
    std::int64_t offset = -1;  ///< Meaningful if acknowledged.
    Error error;               ///< Meaningful unless acknowledged; `reason` is Kafka's name for it.
    const Record* record = nullptr;  ///< Unless acknowledged: the record, valid during the call.
};

/// Settings of one producer, beside how to reach Kafka.
struct ProducerSettings {
    std::size_t queue_records = 100'000;  ///< Most records that wait for their delivery.
    std::size_t queue_bytes = std::size_t{64} << 20;      ///< Most bytes of them.
    std::size_t max_record_bytes = std::size_t{2} << 20;  ///< Larger is refused here already.
    milliseconds linger{1};                               ///< How long a batch waits for company.
    /// After this a record ends `unsent`; zero: it is sent again for ever.
    milliseconds delivery_timeout{0};
    /// How long an unknown topic may yet appear before its records are refused.
    milliseconds unknown_topic_grace{10'000};
};

/// An idempotent producer: acks=all, retries in order, keys to partitions as JVM clients choose
/// them (murmur2_random). Thread-safe.
///
/// The first record of a partition goes alone: a broker that does not know the producer would take
/// a later one without it, and librdkafka would call both delivered (docs/adr/0008).
///
/// A produced record's callback runs exactly once, at the latest when the producer is destroyed,
/// on the producer's own thread: it must be short and must not call the producer's `flush`.
class Producer {
public:
    using OnDelivery = std::function<void(const Delivery&)>;

    /// `invalid_argument` if librdkafka refuses a setting. Does not wait for a broker.
    static Result<std::unique_ptr<Producer>> create(const Options& options,
                                                    const ProducerSettings& settings,
                                                    metrics::Registry& metrics);

    /// Records still inside end `unsent`.
    ~Producer();
    Producer(const Producer&) = delete;
    Producer& operator=(const Producer&) = delete;

    /// Takes the record over without waiting. On an error nothing was taken and the callback does
    /// not run: `resource_exhausted` when the queue is full, or with reason `FIRST_RECORD` while
    /// the first record of a topic or partition is on its way (try again when a delivery has
    /// ended), `failed_precondition` with reason `FATAL` after a fatal error, `invalid_argument`
    /// for a record that is refused for good.
    Result<void> produce(const Record& record, OnDelivery on_delivery);

    /// Finds the topic's leaders now, so that its first record does not wait for that, which can
    /// take a second. Returns at once. For topics that exist; more than 1,000 are ignored.
    void prepare(const std::string& topic);

    /// Waits until everything produced so far has ended; `deadline_exceeded` with what is left.
    Result<void> flush(Deadline deadline);

    /// Ends every waiting record as `unsent` at once.
    void purge();

    /// The fatal error, if there was one: the producer is dead and must be made anew.
    [[nodiscard]] std::optional<Error> fatal() const;

    /// Records that wait for their delivery.
    [[nodiscard]] std::size_t queued() const;

private:
    class Impl;
    explicit Producer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::kafka
