#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace gantry::worker {

/// Lets one item of a key through at a time; the others wait in order. Thread-safe.
template <class Item>
class KeyGate {
public:
    /// Gives the item back if it may pass now; keeps it if another of its key is inside.
    std::optional<Item> enter(const std::string& key, Item item) {
        const std::lock_guard lock(mutex_);
        const auto [found, first] = waiting_.try_emplace(key);
        if (first) {
            return item;
        }
        found->second.push_back(std::move(item));
        return std::nullopt;
    }

    /// The one inside has ended: gives the next, which is inside from now on.
    std::optional<Item> leave(const std::string& key) {
        const std::lock_guard lock(mutex_);
        const auto found = waiting_.find(key);
        if (found == waiting_.end()) {
            return std::nullopt;
        }
        if (found->second.empty()) {
            waiting_.erase(found);
            return std::nullopt;
        }
        Item next = std::move(found->second.front());
        found->second.pop_front();
        return next;
    }

    /// Keys with an item inside.
    [[nodiscard]] std::size_t keys() const {
        const std::lock_guard lock(mutex_);
        return waiting_.size();
    }

private:
    // Guarded by mutex_. A key is here while an item of it is inside.
    mutable std::mutex mutex_;
    std::unordered_map<std::string, std::deque<Item>> waiting_;
};

}  // namespace gantry::worker
