#pragma once

#include <cstdio>
#include <string>

namespace gantry::relay::testing {

/// A folder with servers of one test's own, which may be stopped, crashed and started again. They
/// and the folder are gone at the end, also if the test's process is killed.
class ServerFolder {
public:
    ServerFolder();
    ~ServerFolder();
    ServerFolder(const ServerFolder&) = delete;
    ServerFolder& operator=(const ServerFolder&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
    std::FILE* guard_ = nullptr;
};

/// PostgreSQL as scripts/lib/postgres.sh starts it. Throws if it does not start.
class PostgresServer {
public:
    PostgresServer();

    /// The superuser's URL of a database that is not the test's.
    [[nodiscard]] const std::string& url() const { return url_; }
    void start() const;
    /// Every process of it at once, as by kill -9; nothing is flushed.
    void crash() const;

private:
    ServerFolder folder_;
    int port_;
    std::string url_;
};

/// Kafka as scripts/lib/kafka.sh starts it. Throws if it does not start.
class KafkaServer {
public:
    KafkaServer();

    [[nodiscard]] std::string brokers() const { return "127.0.0.1:" + std::to_string(port_); }
    void start() const;
    void stop() const;

private:
    ServerFolder folder_;
    int port_;
};

}  // namespace gantry::relay::testing
