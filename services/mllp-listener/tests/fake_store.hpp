#pragma once

#include "message_store.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace gantry::mllp {

/// A message store in memory whose commits a test can hold back and let fail. Thread-safe.
class FakeStore final : public MessageStore {
public:
    Result<std::vector<Stored>> store(std::span<const NewMessage* const> batch) override {
        std::unique_lock lock(mutex_);
        std::vector<std::string> ids;
        bool refused = false;
        for (const auto* message : batch) {
            ids.push_back(message->control_id);
            refused = refused || bad_.contains(message->control_id);
        }
        attempts_.push_back(ids);
        changed_.notify_all();
        changed_.wait(lock, [this] { return !held_; });
        if (throws_) {
            throw std::runtime_error("DOE^JOHN");
        }
        if (failure_) {
            return std::unexpected(*failure_);
        }
        if (next_failure_) {
            return std::unexpected(*std::exchange(next_failure_, std::nullopt));
        }
        if (refused) {
            return fail(Code::invalid_argument, "a value has not the form of its type", "22P02");
        }
        std::vector<Stored> results;
        for (const auto* message : batch) {
            const auto [at, fresh] = stored_.try_emplace(message->control_id, message->ack);
            if (fresh) {
                order_.push_back(message->control_id);
            }
            results.push_back({.duplicate = !fresh, .ack = at->second});
        }
        return results;
    }

    Result<void> quarantine(std::span<const Quarantined* const> batch) override {
        const std::lock_guard lock(mutex_);
        if (failure_) {
            return std::unexpected(*failure_);
        }
        for (const auto* item : batch) {
            quarantined_.push_back(item->reason);
        }
        return {};
    }

    Result<void> rehearse(const NewMessage& /*sample*/) override {
        const std::lock_guard lock(mutex_);
        return failure_ ? Result<void>(std::unexpected(*failure_)) : Result<void>();
    }

    /// Keeps every call of `store` inside until `release`.
    void hold() {
        const std::lock_guard lock(mutex_);
        held_ = true;
    }
    void release() {
        const std::lock_guard lock(mutex_);
        held_ = false;
        changed_.notify_all();
    }
    /// Waits until `store` has been called `count` times.
    void wait_for_attempts(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return attempts_.size() >= count; });
    }
    /// Every call fails with this, until it is cleared.
    void fail_with(std::optional<Error> error) {
        const std::lock_guard lock(mutex_);
        failure_ = std::move(error);
    }
    /// The next call of `store` fails with this.
    void fail_next(Error error) {
        const std::lock_guard lock(mutex_);
        next_failure_ = std::move(error);
    }
    /// Every call of `store` throws.
    void throw_always() {
        const std::lock_guard lock(mutex_);
        throws_ = true;
    }
    /// A batch with this control id is refused for what is in it.
    void refuse(const std::string& control_id) {
        const std::lock_guard lock(mutex_);
        bad_.insert(control_id);
    }

    std::vector<std::vector<std::string>> attempts() const {
        const std::lock_guard lock(mutex_);
        return attempts_;
    }
    /// Control ids of what is stored, in the order of storing.
    std::vector<std::string> stored() const {
        const std::lock_guard lock(mutex_);
        return order_;
    }
    std::vector<std::string> quarantined() const {
        const std::lock_guard lock(mutex_);
        return quarantined_;
    }

private:
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool held_ = false;
    bool throws_ = false;
    std::optional<Error> failure_;
    std::optional<Error> next_failure_;
    std::set<std::string> bad_;
    std::vector<std::vector<std::string>> attempts_;
    std::map<std::string, std::string> stored_;
    std::vector<std::string> order_;
    std::vector<std::string> quarantined_;
};

}  // namespace gantry::mllp
