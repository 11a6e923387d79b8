#include "gantry/testing/test_database.hpp"

#include "gantry/base/encoding.hpp"

#include <sys/wait.h>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace gantry::testing {
namespace {

std::string server_url() {
    const char* url = std::getenv("GANTRY_TEST_DATABASE_URL");  // NOLINT(concurrency-mt-unsafe)
    if (url == nullptr || *url == '\0') {
        throw std::runtime_error(
            "GANTRY_TEST_DATABASE_URL is not set: see scripts/test integration");
    }
    return url;
}

/// The server's URI with another database name.
std::string url_of(const std::string& database) {
    const auto server = server_url();
    const auto host = server.find("//") + 2;
    const auto path = server.find('/', host);
    const auto query = server.find('?', host);
    const auto tail = query == std::string::npos ? std::string() : server.substr(query);
    return server.substr(0, std::min({path, query, server.size()})) + '/' + database + tail;
}

template <class T>
T value_or_throw(Result<T> result, const std::string& what) {
    if (!result) {
        throw std::runtime_error(what + ": " + result.error().message + " (" +
                                 result.error().reason + ")");
    }
    return *std::move(result);
}

std::unique_ptr<postgres::Connection> open(const std::string& url) {
    postgres::Options options;
    options.url = url;
    options.application_name = "gantry-test";
    return value_or_throw(postgres::Connection::open(options), "connect");
}

/// A name for the template that changes with any migration.
std::string template_name() {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(GANTRY_MIGRATIONS_DIR)) {
        files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    std::stringstream all;
    for (const auto& file : files) {
        all << file.filename().string() << std::ifstream(file).rdbuf();
    }
    return "gantry_template_" + hex_encode(sha256(all.str())).substr(0, 16);
}

/// Makes the template unless it is there. Test processes take turns by an advisory lock.
std::string require_template() {
    static const std::string kName = template_name();
    const auto server = open(server_url());
    value_or_throw(server->exec("SELECT pg_advisory_lock(7431001)"), "lock");
    const auto there = value_or_throw(
        server->exec("SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate", {kName}),
        "look");
    if (there.empty()) {
        value_or_throw(server->exec("DROP DATABASE IF EXISTS " + kName + " WITH (FORCE)"),
                       "drop template");
        value_or_throw(server->exec("CREATE DATABASE " + kName), "create template");
        if (const int code = run_migrate(url_of(kName), "up"); code != 0) {
            throw std::runtime_error("gantry-migrate up ended with " + std::to_string(code));
        }
        value_or_throw(server->exec("ALTER DATABASE " + kName + " IS_TEMPLATE true"),
                       "mark template");
    }
    value_or_throw(server->exec("SELECT pg_advisory_unlock(7431001)"), "unlock");
    return kName;
}

}  // namespace

TestDatabase::TestDatabase(Content content)
    : name_("gantry_test_" + hex_encode(sha256(Uuid::v7().to_string())).substr(0, 16)),
      url_(url_of(name_)) {
    std::string statement = "CREATE DATABASE " + name_;
    if (content == Content::migrated) {
        statement += " TEMPLATE " + require_template();
    }
    // A template that another process copies at the moment is busy for an instant.
    const auto server = open(server_url());
    value_or_throw(server->exec("SELECT pg_advisory_lock(7431001)"), "lock");
    value_or_throw(server->exec(statement), "create database");
}

TestDatabase::~TestDatabase() {
    try {
        const auto server = open(server_url());
        static_cast<void>(
            server->exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
                         "WHERE database = $1 AND active_pid IS NOT NULL",
                         {name_}));
        // A slot stays busy until its walsender has ended; the next statements see it gone or fail
        // harmlessly.
        for (int attempt = 0; attempt < 50; ++attempt) {
            const auto dropped = server->exec(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE "
                "database = $1",
                {name_});
            if (dropped) {
                break;
            }
            static_cast<void>(server->exec("SELECT pg_sleep(0.1)"));
        }
        static_cast<void>(server->exec("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)"));
    } catch (const std::exception&) {
        // The server is gone, and with it the database.
    }
}

postgres::Options TestDatabase::options() const {
    postgres::Options options;
    options.url = url_;
    options.pool_size = 8;
    options.application_name = "gantry-test";
    return options;
}

std::unique_ptr<postgres::Connection> TestDatabase::connect() const {
    return open(url_);
}

postgres::Rows TestDatabase::exec(std::string_view sql, const postgres::Params& params) const {
    return value_or_throw(connect()->exec(sql, params), std::string(sql.substr(0, 80)));
}

void TestDatabase::kill_sessions() const {
    const auto server = open(server_url());
    value_or_throw(
        server->exec(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
            {name_}),
        "terminate");
}

int run_migrate(const std::string& url, const std::string& arguments) {
    const std::string command =
        "GANTRY__POSTGRES__URL='" + url + "' '" GANTRY_MIGRATE_BINARY "' " + arguments + " >&2";
    const int status = std::system(command.c_str());  // NOLINT(concurrency-mt-unsafe)
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace gantry::testing
