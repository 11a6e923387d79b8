#include "bench.hpp"

#include "gantry/base/uuid.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

namespace gantry::relay::testing {
namespace {

constexpr milliseconds kStopLimit{30'000};
constexpr milliseconds kLinger{500};

std::string short_id() {
    const auto id = Uuid::v7().to_string();
    return id.substr(24);
}

template <class T>
T need(Result<T> result) {
    if (!result) {
        throw std::runtime_error(result.error().message);
    }
    return std::move(*result);
}

}  // namespace

RelayProcess::RelayProcess(const std::string& database_url, const std::string& brokers,
                           const std::string& prefix, const std::vector<std::string>& flags)
    : log_path_("/tmp/gantry-relay-" + short_id() + ".log") {
    std::vector<std::string> arguments = {
        GANTRY_OUTBOX_RELAY_BINARY,       "--kafka.brokers=" + brokers,
        "--kafka.topic_prefix=" + prefix, "--admin.listen=127.0.0.1:0",
        "--grpc.listen=127.0.0.1:0",      "--log.format=json",
        "--relay.topics_interval=1s"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    if (std::ranges::none_of(flags, [](const auto& flag) { return flag.contains("lease_ttl"); })) {
        arguments.push_back("--relay.lease_ttl=3s");
    }
    std::vector<char*> argv;
    for (auto& argument : arguments) {
        argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    std::string url = "GANTRY__POSTGRES__URL=" + database_url;
    std::vector<char*> environment = {url.data(), nullptr};
    const int log = ::open(log_path_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    pid_ = ::fork();
    if (pid_ == 0) {
        ::dup2(log, 1);
        ::dup2(log, 2);
        ::execve(argv[0], argv.data(), environment.data());
        ::_exit(127);
    }
    ::close(log);
}

RelayProcess::~RelayProcess() {
    kill();
    ::unlink(log_path_.c_str());
}

void RelayProcess::signal(int number) const {
    ::kill(pid_, number);
}

int RelayProcess::stop() {
    signal(SIGTERM);
    int status = 0;
    const bool ended =
        Bench::eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, kStopLimit);
    if (!ended) {
        return -1;
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void RelayProcess::kill() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
}

std::string RelayProcess::log() const {
    std::ostringstream text;
    text << std::ifstream(log_path_).rdbuf();
    return text.str();
}

long RelayProcess::resident_kib() const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("RssAnon:")) {
            return std::strtol(line.c_str() + 8, nullptr, 10);
        }
    }
    return -1;
}

Bench::Bench(Mode mode) : prefix_("relaytest-" + short_id()) {
    const char* brokers = std::getenv("GANTRY_TEST_KAFKA_BROKERS");
    if (brokers == nullptr) {
        throw std::runtime_error("GANTRY_TEST_KAFKA_BROKERS is not set");
    }
    brokers_ = brokers;
    kafka::Options options;
    options.brokers = brokers_;
    options.client_id = "relay-test";
    admin_ = need(kafka::Admin::create(options));
    const auto* name = mode == Mode::wal ? "wal" : "polling";
    if (gantry::testing::run_migrate(database_.url(), std::string("set-mode ") + name) != 0) {
        throw std::runtime_error("the outbox's mode cannot be set");
    }
}

Bench::~Bench() {
    std::vector<std::string> mine;
    if (const auto topics = admin_->topics(Deadline::after(milliseconds{10'000}))) {
        for (const auto& [topic, partitions] : *topics) {
            if (topic.starts_with(prefix_ + ".")) {
                mine.push_back(topic);
            }
        }
    }
    static_cast<void>(admin_->delete_topics(mine, Deadline::after(milliseconds{10'000})));
}

std::unique_ptr<RelayProcess> Bench::relay(const std::vector<std::string>& flags) const {
    return std::make_unique<RelayProcess>(database_.url(), brokers_, prefix_, flags);
}

void Bench::publish(const std::string& key, const std::string& payload) const {
    need(session().exec("SELECT gantry.publish($1, $2, 'test.event', $3::bytea)",
                        {events(), key, postgres::Bytes{payload}}));
}

void Bench::publish_many(int count) const {
    // Straight into the ledger: gantry.publish checks each row, which would take most of the time.
    database_.exec(
        "INSERT INTO gantry.outbox_message (topic, key, type, payload) "
        "SELECT $1, 'k' || i % 10, 't', ('k' || i % 10 || ':' || i || repeat(' ', 300))::bytea "
        "FROM generate_series(1, $2::int) i",
        {events(), count});
}

bool Bench::arrive(std::size_t count) {
    return take(events(), count, milliseconds{60'000}, milliseconds{0}).size() >= count;
}

std::vector<kafka::Message> Bench::read(const std::string& topic, std::size_t count,
                                        milliseconds limit) {
    return take(topic, count, limit, kLinger);
}

std::vector<kafka::Message> Bench::take(const std::string& topic, std::size_t count,
                                        milliseconds limit, milliseconds linger) {
    const auto deadline = Deadline::after(limit);
    std::optional<int> partitions;
    eventually(
        [&] {
            const auto found = admin_->partitions(topic, Deadline::after(milliseconds{5'000}));
            partitions = found.value_or(std::nullopt);
            return partitions.has_value();
        },
        limit);
    std::vector<kafka::Message> messages;
    if (!partitions) {
        return messages;
    }
    kafka::Options options;
    options.brokers = brokers_;
    kafka::ConsumerSettings settings;
    settings.group = prefix_ + ".reader";
    auto consumer = need(kafka::Consumer::create(options, settings, metrics_));
    std::vector<kafka::TopicPartitionOffset> from;
    for (int partition = 0; partition < *partitions; ++partition) {
        from.push_back({topic, partition, 0});
    }
    if (!consumer->assign(from)) {
        throw std::runtime_error("the topic cannot be read");
    }
    std::set<std::string> different;
    std::optional<Deadline> enough;
    while (!deadline.expired() && !(enough && enough->expired())) {
        auto event = consumer->poll(milliseconds{20});
        if (auto* message = std::get_if<kafka::Message>(&event)) {
            different.insert(message->value.value_or("(null)"));
            messages.push_back(std::move(*message));
        }
        if (!enough && different.size() >= count) {
            enough = Deadline::after(linger);
        }
    }
    return messages;
}

bool Bench::eventually(const std::function<bool()>& condition, milliseconds limit) {
    const auto deadline = Deadline::after(limit);
    while (!condition()) {
        if (deadline.expired()) {
            return false;
        }
        ::usleep(20'000);  // what is awaited is another process's
    }
    return true;
}

postgres::Connection& Bench::session() const {
    if (!session_ || !session_->usable()) {
        session_ = database_.connect();
    }
    return *session_;
}

std::int64_t Bench::number(const std::string& sql) const {
    return need(session().exec(sql)).front().get<std::optional<std::int64_t>>(0).value_or(0);
}

Verdict judge(const std::vector<kafka::Message>& messages) {
    Verdict verdict;
    std::set<std::string> seen;
    std::map<std::string, long> last;
    for (const auto& message : messages) {
        const auto value = message.value.value_or("");
        if (!seen.insert(value).second) {
            ++verdict.duplicates;
            continue;
        }
        const auto colon = value.find(':');
        const auto key = value.substr(0, colon);
        const auto number = std::strtol(value.c_str() + colon + 1, nullptr, 10);
        const auto found = last.find(key);
        if (found != last.end() && number < found->second && verdict.disorder.empty()) {
            verdict.disorder = value + " after " + std::to_string(found->second);
        }
        last[key] = number;
        if (message.key != key && verdict.disorder.empty()) {
            verdict.disorder = "key of " + value;
        }
    }
    verdict.different = seen.size();
    return verdict;
}

Load::Load(const std::string& database_url, std::string topic, int keys)
    : thread_([this, database_url, topic = std::move(topic), keys](const std::stop_token& stop) {
          postgres::Options options;
          options.url = database_url;
          std::unique_ptr<postgres::Connection> connection;
          std::size_t number = 0;
          while (!stop.stop_requested()) {
              if (!connection || !connection->usable()) {
                  auto opened = postgres::Connection::open(options);
                  if (!opened) {
                      continue;
                  }
                  connection = std::move(*opened);
              }
              const auto key = "k" + std::to_string(number % static_cast<std::size_t>(keys));
              const auto done = connection->exec(
                  "SELECT gantry.publish($1, $2, 'test.event', $3::bytea)",
                  {topic, key, postgres::Bytes{key + ":" + std::to_string(number)}});
              if (done) {
                  ++number;
                  committed_ = number;
              }
              ::usleep(500);
          }
      }) {}

std::size_t Load::stop() {
    thread_.request_stop();
    thread_.join();
    return committed_;
}

}  // namespace gantry::relay::testing
