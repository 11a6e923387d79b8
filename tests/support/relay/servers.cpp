#include "servers.hpp"

#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace gantry::relay::testing {
namespace {

void run(const std::string& command) {
    const int status = std::system(("'" GANTRY_SCRIPTS "/'" + command + " >&2").c_str());  // NOLINT
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        throw std::runtime_error("scripts/lib/" + command + " failed");
    }
}

int free_port() {
    auto* const pipe = ::popen("python3 '" GANTRY_SCRIPTS "/free_port.py' 1", "re");  // NOLINT
    int port = 0;
    const bool read = pipe != nullptr && std::fscanf(pipe, "%d", &port) == 1;  // NOLINT
    if (pipe != nullptr) {
        ::pclose(pipe);
    }
    if (!read) {
        throw std::runtime_error("there is no free port");
    }
    return port;
}

std::string new_folder() {
    std::string path = "/tmp/gantry-server.XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
        throw std::runtime_error("no folder can be made in /tmp");
    }
    ::chmod(path.c_str(), 0755);  // PostgreSQL runs as a user of its own
    return path;
}

}  // namespace

ServerFolder::ServerFolder() : path_(new_folder()) {
    // Waits for the end of its input, which comes however this process ends.
    const auto script = "cat; '" GANTRY_SCRIPTS "/kafka.sh' stop " + path_ +
                        " KILL; '" GANTRY_SCRIPTS "/postgres.sh' destroy " + path_;
    guard_ = ::popen(("exec setsid bash -c \"" + script + "\" >/dev/null 2>&1").c_str(), "we");
    if (guard_ == nullptr) {
        throw std::runtime_error("the guard of " + path_ + " cannot be started");
    }
}

ServerFolder::~ServerFolder() {
    ::pclose(guard_);
}

PostgresServer::PostgresServer() : port_(free_port()) {
    start();
    std::ifstream(folder_.path() + "/url") >> url_;
}

void PostgresServer::start() const {
    run("postgres.sh start " + folder_.path() + " " + std::to_string(port_));
}

void PostgresServer::crash() const {
    run("postgres.sh stop " + folder_.path() + " immediate");
}

KafkaServer::KafkaServer() : port_(free_port()) {
    start();
}

void KafkaServer::start() const {
    run("kafka.sh start " + folder_.path() + " " + std::to_string(port_));
}

void KafkaServer::stop() const {
    run("kafka.sh stop " + folder_.path());
}

}  // namespace gantry::relay::testing
