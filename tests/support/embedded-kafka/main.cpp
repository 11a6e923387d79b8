// gantry-embedded-kafka: a broker in memory for trying Gantry without Java.
//
// It is librdkafka's mock cluster: it speaks the protocol to real clients, keeps at most 5 MiB of a
// partition, forgets everything when it ends and has no real transactions. Never a broker for real
// work.

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>
#include <CLI/CLI.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "fixed_port.hpp"

namespace {

struct DestroyClient {
    void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
};
struct DestroyCluster {
    void operator()(rd_kafka_mock_cluster_t* cluster) const {
        rd_kafka_mock_cluster_destroy(cluster);
    }
};

struct Flags {
    std::uint16_t port = 0;
    int partitions = 4;
    std::vector<std::string> topics;
};

int serve(const Flags& flags, const sigset_t& stops) {
    std::array<char, 512> error{};
    // The mock cluster hangs on a client, which itself talks to nobody and would warn about that.
    rd_kafka_conf_t* settings = rd_kafka_conf_new();
    rd_kafka_conf_set(settings, "log_level", "3", nullptr, 0);
    const std::unique_ptr<rd_kafka_t, DestroyClient> client(
        rd_kafka_new(RD_KAFKA_PRODUCER, settings, error.data(), error.size()));
    if (!client) {
        std::fprintf(stderr, "gantry-embedded-kafka: %s\n", error.data());
        return 71;
    }
    if (flags.port != 0)
        gantry::embedded_kafka::listen_next_on(flags.port);
    const std::unique_ptr<rd_kafka_mock_cluster_t, DestroyCluster> cluster(
        rd_kafka_mock_cluster_new(client.get(), 1));
    if (!cluster) {
        std::fprintf(stderr, "gantry-embedded-kafka: cannot listen on 127.0.0.1:%u\n",
                     unsigned{flags.port});
        return 71;
    }
    for (const auto& topic : flags.topics) {
        const auto result =
            rd_kafka_mock_topic_create(cluster.get(), topic.c_str(), flags.partitions, 1);
        if (result != RD_KAFKA_RESP_ERR_NO_ERROR) {
            std::fprintf(stderr, "gantry-embedded-kafka: topic %s: %s\n", topic.c_str(),
                         rd_kafka_err2str(result));
            return 71;
        }
    }
    std::printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster.get()));
    std::fflush(stdout);
    int signal = 0;
    sigwait(&stops, &signal);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Flags flags;
    CLI::App app{
        "A Kafka broker in memory, for trying Gantry without Java. Prints its bootstrap address "
        "and serves\n"
        "until SIGTERM. It keeps at most 5 MiB of a partition and forgets everything when it "
        "ends."};
    app.add_option("--port", flags.port, "Port of 127.0.0.1 to listen on; 0 takes a free one");
    app.add_option("--partitions", flags.partitions, "Partitions of each --topic")
        ->check(CLI::Range(1, 1000));
    app.add_option("--topic", flags.topics, "A topic to create; may be given several times");
    CLI11_PARSE(app, argc, argv);

    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stops, nullptr);
    return serve(flags, stops);
}
