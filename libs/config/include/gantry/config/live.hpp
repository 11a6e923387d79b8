#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

namespace gantry::config {

/// Options that a reload may replace while the process runs.
///
/// Readers get an immutable snapshot: it is whole, it was validated as a whole, and it stays as it
/// is for as long as they hold it, whatever is reloaded meanwhile. Ask again for what shall follow
/// a reload; take one snapshot for values that belong together. Thread-safe.
///
/// ```
/// App(const config::Live<Options>& live, hosting::Context& context);
/// hosting::Interval interval = [this] { return live_.get()->orders.sync.interval; };
/// ```
template <class Options>
class Live {
    struct Callback {
        std::function<void(const Options&)> call;
    };
    // Shared with the subscriptions, so that they may outlive the rest.
    struct Callbacks {
        std::mutex mutex;
        std::list<Callback> list;
    };

public:
    /// Keeps a callback registered while it lives. Its end waits for a call that is under way, so
    /// it must not be ended by its own callback.
    class [[nodiscard]] Subscription {
    public:
        Subscription() = default;
        Subscription(Subscription&&) noexcept = default;
        Subscription& operator=(Subscription&& other) noexcept {
            end();
            callbacks_ = std::move(other.callbacks_);
            at_ = other.at_;
            return *this;
        }
        Subscription(const Subscription&) = delete;
        Subscription& operator=(const Subscription&) = delete;
        ~Subscription() { end(); }

    private:
        friend class Live;
        Subscription(std::shared_ptr<Callbacks> callbacks,
                     typename std::list<Callback>::iterator at)
            : callbacks_(std::move(callbacks)), at_(at) {}
        void end() {
            if (const auto callbacks = std::exchange(callbacks_, nullptr)) {
                const std::lock_guard lock(callbacks->mutex);
                callbacks->list.erase(at_);
            }
        }
        std::shared_ptr<Callbacks> callbacks_;
        typename std::list<Callback>::iterator at_;
    };

    explicit Live(std::shared_ptr<const Options> first) : now_(std::move(first)) {}
    explicit Live(Options first) : Live(std::make_shared<const Options>(std::move(first))) {}
    Live(const Live&) = delete;
    Live& operator=(const Live&) = delete;

    /// The options as they are now.
    [[nodiscard]] std::shared_ptr<const Options> get() const {
        const std::lock_guard lock(mutex_);
        return now_;
    }

    /// Calls `callback` after each reload, with the new options, on the thread that reloads; it
    /// must be short. What it throws ends neither the reload nor the other callbacks.
    Subscription on_change(std::function<void(const Options&)> callback) const {
        const std::lock_guard lock(callbacks_->mutex);
        callbacks_->list.push_back({std::move(callback)});
        return Subscription(callbacks_, std::prev(callbacks_->list.end()));
    }

    /// For the host only: `next` holds from now on.
    void replace(std::shared_ptr<const Options> next) {
        {
            const std::lock_guard lock(mutex_);
            now_ = next;
        }
        const std::lock_guard lock(callbacks_->mutex);
        for (const Callback& callback : callbacks_->list) {
            try {
                callback.call(*next);
            } catch (...) {  // NOLINT(bugprone-empty-catch): said above; the options hold anyway
            }
        }
    }

private:
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::shared_ptr<const Options> now_;
    // Guards itself.
    std::shared_ptr<Callbacks> callbacks_ = std::make_shared<Callbacks>();
};

}  // namespace gantry::config
