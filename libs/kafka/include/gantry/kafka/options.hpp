#pragma once

#include "gantry/config/binder.hpp"
#include "gantry/config/loader.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::kafka {

/// How a process reaches Kafka, bound under `kafka.`.
struct Options {
    std::string brokers;                          ///< `host:port,…`.
    std::string client_id;                        ///< Shown in the broker's logs and quotas.
    std::string topic_prefix = "gantry";          ///< First part of every topic's name.
    std::string security_protocol = "plaintext";  ///< plaintext, ssl, sasl_plaintext, sasl_ssl.
    std::string sasl_mechanism;                   ///< PLAIN, SCRAM-SHA-256, SCRAM-SHA-512.
    std::string sasl_username;
    std::string sasl_password;             ///< Secret.
    std::string ssl_ca_location;           ///< File or folder of CA certificates.
    std::string ssl_certificate_location;  ///< Client certificate (PEM).
    std::string ssl_key_location;          ///< Its key (PEM).
    std::string ssl_key_password;          ///< Secret.
    std::vector<std::string> properties;   ///< Further librdkafka settings, `name=value`.

    /// Settings that a part of a service knows itself; they win over all others. Not a setting.
    std::map<std::string, std::string> overrides;

    void bind(config::Binder& binder);
    /// What librdkafka would refuse.
    [[nodiscard]] std::vector<config::Fault> validate() const;

    /// `<prefix>.<name>`.
    [[nodiscard]] std::string topic(std::string_view name) const {
        return topic_prefix + "." + std::string(name);
    }
};

}  // namespace gantry::kafka
