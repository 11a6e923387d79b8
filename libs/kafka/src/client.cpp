#include "client.hpp"

#include "errors.hpp"
#include "gantry/logging/log.hpp"

#include <syslog.h>

#include <algorithm>
#include <array>
#include <limits>

namespace gantry::kafka {
namespace {

void forward_log(const rd_kafka_t* client, int level, const char* facility, const char* text) {
    const auto severity = level <= LOG_WARNING ? logging::Level::warning : logging::Level::debug;
    if (logging::enabled(severity)) {
        logging::write(severity, text, {{"client", rd_kafka_name(client)}, {"facility", facility}});
    }
}

Result<void> set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
    std::array<char, 512> text{};
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text.data(), text.size()) !=
        RD_KAFKA_CONF_OK) {
        // librdkafka's text repeats the value, which may be a secret.
        return fail(Code::invalid_argument, "librdkafka refuses the value of " + name,
                    "BAD_PROPERTY");
    }
    return {};
}

}  // namespace

Result<Conf> make_conf(const Options& options, const std::vector<Property>& own) {
    Conf conf(rd_kafka_conf_new());
    rd_kafka_conf_set_log_cb(conf.get(), forward_log);
    std::vector<Property> all = {
        {"bootstrap.servers", options.brokers}, {"security.protocol", options.security_protocol},
        {"socket.nagle.disable", "true"},       {"socket.keepalive.enable", "true"},
        {"broker.address.family", "any"},       {"reconnect.backoff.ms", "100"},
        {"reconnect.backoff.max.ms", "2000"},   {"log.connection.close", "false"},
    };
    all.insert(all.end(), own.begin(), own.end());
    const std::initializer_list<std::pair<const char*, const std::string*>> optional = {
        {"client.id", &options.client_id},
        {"sasl.mechanism", &options.sasl_mechanism},
        {"sasl.username", &options.sasl_username},
        {"sasl.password", &options.sasl_password},
        {"ssl.ca.location", &options.ssl_ca_location},
        {"ssl.certificate.location", &options.ssl_certificate_location},
        {"ssl.key.location", &options.ssl_key_location},
        {"ssl.key.password", &options.ssl_key_password},
    };
    for (const auto& [name, value] : optional) {
        if (!value->empty()) {
            all.emplace_back(name, *value);
        }
    }
    for (const auto& [name, value] : all) {
        TRY(set(conf.get(), name, value));
    }
    for (const auto& property : options.properties) {
        const auto equals = property.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail(Code::invalid_argument, "kafka.properties: each is name=value");
        }
        TRY(set(conf.get(), property.substr(0, equals), property.substr(equals + 1)));
    }
    for (const auto& [name, value] : options.overrides) {
        TRY(set(conf.get(), name, value));
    }
    return conf;
}

Result<Handle> make_client(rd_kafka_type_t type, Conf conf) {
    std::array<char, 512> text{};
    rd_kafka_t* client = rd_kafka_new(type, conf.get(), text.data(), text.size());
    if (client == nullptr) {
        return fail(Code::invalid_argument,
                    "librdkafka refuses the settings: " + std::string(text.data()));
    }
    static_cast<void>(conf.release());  // the client owns it now
    return Handle(client);
}

int timeout_ms(milliseconds timeout) {
    return static_cast<int>(
        std::clamp<std::int64_t>(timeout.count(), 1, std::numeric_limits<int>::max()));
}

List to_list(const std::vector<TopicPartition>& partitions) {
    List list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
    for (const auto& [topic, partition] : partitions) {
        rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
    }
    return list;
}

List to_list(const std::vector<TopicPartitionOffset>& offsets) {
    List list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
    for (const auto& [topic, partition, offset] : offsets) {
        rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = offset;
    }
    return list;
}

std::vector<TopicPartition> partitions_of(const rd_kafka_topic_partition_list_t* list) {
    std::vector<TopicPartition> partitions;
    for (int i = 0; list != nullptr && i < list->cnt; ++i) {
        partitions.push_back({list->elems[i].topic, list->elems[i].partition});
    }
    return partitions;
}

std::vector<TopicPartitionOffset> offsets_of(const rd_kafka_topic_partition_list_t* list) {
    std::vector<TopicPartitionOffset> offsets;
    for (int i = 0; list != nullptr && i < list->cnt; ++i) {
        const auto& element = list->elems[i];
        offsets.push_back({element.topic, element.partition, element.offset});
    }
    return offsets;
}

rd_kafka_resp_err_t first_error(const rd_kafka_topic_partition_list_t* list) {
    for (int i = 0; list != nullptr && i < list->cnt; ++i) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return list->elems[i].err;
        }
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

Headers headers_of(const rd_kafka_message_t* message) {
    Headers headers;
    rd_kafka_headers_t* raw = nullptr;
    if (rd_kafka_message_headers(message, &raw) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return headers;
    }
    headers.reserve(rd_kafka_header_cnt(raw));
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0;
         rd_kafka_header_get_all(raw, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
        headers.push_back({name, bytes_of(value, size)});
    }
    return headers;
}

std::optional<std::string> bytes_of(const void* data, std::size_t size) {
    if (data == nullptr) {
        return std::nullopt;
    }
    return std::string(static_cast<const char*>(data), size);
}

Instant timestamp_of(const rd_kafka_message_t* message) {
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    const auto at = rd_kafka_message_timestamp(message, &type);
    return Instant{milliseconds{std::max<std::int64_t>(at, 0)}};
}

}  // namespace gantry::kafka
