#pragma once

#include "gantry/base/result.hpp"
#include "gantry/kafka/options.hpp"
#include "gantry/kafka/record.hpp"

#include <librdkafka/rdkafka.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// Ownership and conversions shared by producer, consumer and admin.
namespace gantry::kafka {

template <auto destroy>
struct Destroy {
    template <class T>
    void operator()(T* object) const {
        destroy(object);
    }
};

using Conf = std::unique_ptr<rd_kafka_conf_t, Destroy<rd_kafka_conf_destroy>>;
using Handle = std::unique_ptr<rd_kafka_t, Destroy<rd_kafka_destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Destroy<rd_kafka_queue_destroy>>;
using RawEvent = std::unique_ptr<rd_kafka_event_t, Destroy<rd_kafka_event_destroy>>;
using Topic = std::unique_ptr<rd_kafka_topic_t, Destroy<rd_kafka_topic_destroy>>;
using List = std::unique_ptr<rd_kafka_topic_partition_list_t,
                             Destroy<rd_kafka_topic_partition_list_destroy>>;
using RawError = std::unique_ptr<rd_kafka_error_t, Destroy<rd_kafka_error_destroy>>;

using Property = std::pair<std::string, std::string>;

/// librdkafka's configuration: `own` first, then the options, then their properties and overrides.
Result<Conf> make_conf(const Options& options, const std::vector<Property>& own);

/// A client of `conf`, which it takes over.
Result<Handle> make_client(rd_kafka_type_t type, Conf conf);

/// The timeout as librdkafka wants it, at least a millisecond.
int timeout_ms(milliseconds timeout);

List to_list(const std::vector<TopicPartition>& partitions);
List to_list(const std::vector<TopicPartitionOffset>& offsets);
std::vector<TopicPartition> partitions_of(const rd_kafka_topic_partition_list_t* list);
std::vector<TopicPartitionOffset> offsets_of(const rd_kafka_topic_partition_list_t* list);

/// The first error of a list's elements.
rd_kafka_resp_err_t first_error(const rd_kafka_topic_partition_list_t* list);

Headers headers_of(const rd_kafka_message_t* message);
std::optional<std::string> bytes_of(const void* data, std::size_t size);
Instant timestamp_of(const rd_kafka_message_t* message);

}  // namespace gantry::kafka
