#include "gantry/kafka/options.hpp"

#include "client.hpp"

namespace gantry::kafka {
namespace {

std::string check_prefix(std::string_view prefix) {
    const bool allowed = prefix.find_first_not_of(
                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
                             "WXYZ0123456789._-") == std::string_view::npos;
    return allowed && prefix.size() <= 100 ? "" : "1 to 100 of A-Z a-z 0-9 . _ -";
}

}  // namespace

void Options::bind(config::Binder& binder) {
    binder.add("kafka.brokers", brokers, "Kafka brokers, host:port,host:port,…").required();
    binder.add("kafka.client_id", client_id, "Name shown by the brokers; the service's if empty");
    binder.add("kafka.topic_prefix", topic_prefix, "First part of every topic's name")
        .required()
        .check(check_prefix);
    binder.add("kafka.security_protocol", security_protocol, "How to talk to the brokers")
        .one_of({"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"});
    binder.add("kafka.sasl.mechanism", sasl_mechanism, "SASL mechanism")
        .one_of({"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"});
    binder.add("kafka.sasl.username", sasl_username, "SASL user");
    binder.add("kafka.sasl.password", sasl_password, "SASL password").secret();
    binder.add("kafka.ssl.ca_location", ssl_ca_location, "File or folder of CA certificates");
    binder.add("kafka.ssl.certificate_location", ssl_certificate_location,
               "Client certificate (PEM)");
    binder.add("kafka.ssl.key_location", ssl_key_location, "Key of the client certificate (PEM)");
    binder.add("kafka.ssl.key_password", ssl_key_password, "Password of that key").secret();
    binder.add("kafka.properties", properties, "Further librdkafka settings, each name=value")
        .secret();
}

std::vector<config::Fault> Options::validate() const {
    std::vector<config::Fault> faults;
    if (const auto conf = make_conf(*this, {}); !conf) {
        faults.push_back({"kafka.properties", "kafka", conf.error().message});
    }
    return faults;
}

}  // namespace gantry::kafka
