#include "load.hpp"

#include "gantry/postgres/connection.hpp"

#include <unistd.h>

#include <memory>

namespace gantry::relay::testing {

Load::Load(const std::string& database_url, std::string topic, int keys, Pace pace)
    : topic_(std::move(topic)), keys_(static_cast<std::size_t>(keys)), pace_(pace) {
    for (int writer = 0; writer < pace_.writers; ++writer) {
        const auto name =
            pace_.writers == 1 ? std::string("k") : "w" + std::to_string(writer) + "k";
        writers_.emplace_back([this, database_url, name](const std::stop_token& stop) {
            write(database_url, name, stop);
        });
    }
}

void Load::write(const std::string& url, const std::string& name, const std::stop_token& stop) {
    postgres::Options options;
    options.url = url;
    options.application_name = "load";
    std::unique_ptr<postgres::Connection> connection;
    for (std::size_t number = 0; !stop.stop_requested() && begun_++ < pace_.most; ++number) {
        const auto key = name + std::to_string(number % keys_);
        const postgres::Params event = {topic_, key,
                                        postgres::Bytes{key + ":" + std::to_string(number)}};
        bool done = false;
        while (!done && !stop.stop_requested()) {
            if (!connection || !connection->usable()) {
                auto opened = postgres::Connection::open(options);
                if (!opened) {
                    ::usleep(20'000);  // a server that starts answers at once, with a refusal
                    continue;
                }
                connection = std::move(*opened);
            }
            const auto outcome =
                connection->exec("SELECT gantry.publish($1, $2, 'test.event', $3::bytea)", event);
            done = outcome.has_value();
            if (!done && connection->usable()) {
                const std::lock_guard lock(mutex_);
                if (refused_.empty()) {
                    refused_ = outcome.error().message;
                }
            }
            ::usleep(static_cast<useconds_t>(pace_.pause.count()));
        }
        committed_ += done ? 1 : 0;
    }
}

std::size_t Load::stop() {
    for (auto& writer : writers_) {
        writer.request_stop();
    }
    return finish();
}

std::size_t Load::finish() {
    for (auto& writer : writers_) {
        if (writer.joinable()) {
            writer.join();
        }
    }
    return committed_;
}

std::string Load::refused() const {
    const std::lock_guard lock(mutex_);
    return refused_;
}

}  // namespace gantry::relay::testing
