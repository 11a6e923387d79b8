#include "reading_session.hpp"

#include <poll.h>

#include <algorithm>

namespace gantry::relay {
namespace {

constexpr milliseconds kCancelAgain{250};

}  // namespace

Result<std::unique_ptr<ReadingSession>> ReadingSession::open(
    Desk& desk, const std::map<std::string, std::string>& settings) {
    auto options = desk.options.postgres;
    options.application_name = "outbox-relay reader";
    // A limit would end the same sorting again and again.
    options.session["statement_timeout"] = "0";
    for (const auto& [name, value] : settings) {
        options.session[name] = value;
    }
    return std::unique_ptr<ReadingSession>(
        new ReadingSession(desk, TRY(postgres::Connection::open(options))));
}

ReadingSession::ReadingSession(Desk& desk, std::unique_ptr<postgres::Connection> connection)
    : desk_(desk),
      connection_(std::move(connection)),
      thread_([this](const std::stop_token& stop) { serve(stop); }) {}

ReadingSession::~ReadingSession() {
    thread_.request_stop();
    thread_.join();
}

Result<postgres::Rows> ReadingSession::exec(std::string_view sql, const postgres::Params& params) {
    Statement statement{sql, params, std::nullopt};
    {
        const std::lock_guard lock(mutex_);
        statement_ = &statement;
    }
    given_.notify_one();
    if (const auto kept = await(statement); !kept) {
        break_off(statement);
        return std::unexpected(kept.error());
    }
    return std::move(*statement.outcome);
}

void ReadingSession::serve(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (given_.wait(lock, stop, [this] { return statement_ != nullptr; })) {
        auto& statement = *statement_;
        lock.unlock();
        auto outcome = connection_->exec(statement.sql, statement.params);
        lock.lock();
        statement.outcome = std::move(outcome);
        statement_ = nullptr;
        done_.ring();
    }
}

bool ReadingSession::finished(const Statement& statement) {
    const std::lock_guard lock(mutex_);
    if (!statement.outcome) {
        return false;
    }
    done_.clear();
    return true;
}

Result<void> ReadingSession::await(const Statement& statement) {
    auto next_keep = desk_.context.clock.steady_now() + kTickInterval;
    while (!finished(statement)) {
        const auto now = desk_.context.clock.steady_now();
        if (desk_.stop.stop_requested()) {
            return fail(Code::cancelled, "the relay stops");
        }
        if (now >= next_keep) {
            TRY(desk_.keep({}));
            next_keep = now + kTickInterval;
        }
        desk_.wait(std::chrono::ceil<milliseconds>(next_keep - now), done_.fd(), POLLIN);
    }
    return {};
}

void ReadingSession::break_off(const Statement& statement) {
    // Again and again, for a request may come before the statement does.
    while (!finished(statement)) {
        connection_->cancel();
        desk_.wait(kCancelAgain, done_.fd(), POLLIN);
    }
}

}  // namespace gantry::relay
