#include "gantry/health/registry.hpp"

#include "gantry/logging/log.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace gantry::health {
namespace {

constexpr int kPeriodsUntilStale = 3;

}  // namespace

std::string_view to_string(Status status) {
    switch (status) {
        case Status::healthy:
            return "healthy";
        case Status::degraded:
            return "degraded";
        case Status::unhealthy:
            return "unhealthy";
    }
    return "unhealthy";
}

std::string_view to_string(Failure failure) {
    switch (failure) {
        case Failure::none:
            return "none";
        case Failure::reported:
            return "reported";
        case Failure::timeout:
            return "timeout";
        case Failure::exception:
            return "exception";
        case Failure::stale:
            return "stale";
    }
    return "none";
}

/// One entry of the registry: a polled check, or a state that its owner reports.
///
/// A polled check runs on a thread of its own, so that one that hangs delays no other; the
/// registry's timer thread calls its time-out.
class Registry::Impl {
public:
    explicit Impl(Clock& clock) : clock_(clock) {}
    ~Impl() { stop(); }

    Result<void> add(Check check) {
        if (check.name.empty()) {
            return fail(Code::invalid_argument, "a health check needs a name");
        }
        if (check.timeout > check.period * (kPeriodsUntilStale - 1)) {
            return fail(Code::invalid_argument, "the timeout of the check `" + check.name +
                                                    "` is more than two of its periods");
        }
        const std::lock_guard lifecycle(lifecycle_mutex_);
        const std::lock_guard lock(mutex_);
        if (entries_.contains(check.name)) {
            refused_.insert(check.name);
            return fail(Code::already_exists, "a check named `" + check.name + "` exists already");
        }
        Entry& entry = make_entry(check.name, check.readiness);
        entry.snapshot.detail = "has not run yet";
        entry.snapshot.tags = check.tags;
        entry.check = std::move(check);
        if (running_) {
            start_polling(entry);
        }
        return {};
    }

    [[nodiscard]] std::vector<std::string> refused_names() const {
        const std::lock_guard lock(mutex_);
        return {refused_.begin(), refused_.end()};
    }

    Reporter& reporter(std::string name, bool readiness) {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(name);
        Entry& entry = found != entries_.end() ? *found->second : make_entry(name, readiness);
        if (!entry.reporter) {
            entry.snapshot.detail = "starting";
            entry.reporter = std::make_unique<EntryReporter>(*this, entry);
        }
        return *entry.reporter;
    }

    void start() {
        const std::lock_guard lifecycle(lifecycle_mutex_);
        const std::lock_guard lock(mutex_);
        running_ = true;
        for (auto& [name, entry] : entries_) {
            if (entry->check && !entry->thread.joinable()) {
                start_polling(*entry);
            }
        }
    }

    void stop() {
        const std::lock_guard lifecycle(lifecycle_mutex_);
        std::vector<std::jthread> threads;
        {
            const std::lock_guard lock(mutex_);
            running_ = false;
            threads.push_back(std::move(timer_));
            for (auto& [name, entry] : entries_) {
                threads.push_back(std::move(entry->thread));
            }
        }
        // Stopped and joined outside the lock, which the threads take to publish.
        for (std::jthread& thread : threads) {
            thread.request_stop();
        }
    }

    [[nodiscard]] std::vector<Snapshot> snapshot() const {
        const std::lock_guard lock(mutex_);
        std::vector<Snapshot> all;
        for (const auto& [name, entry] : entries_) {
            all.push_back(seen(*entry));
        }
        return all;
    }

    [[nodiscard]] bool ready() const {
        const std::lock_guard lock(mutex_);
        return ready_locked();
    }

    void on_ready_change(std::function<void(bool)> listener) {
        const std::lock_guard notify(notify_mutex_);
        if (listeners_.empty()) {
            last_ready_ = ready();
        }
        listeners_.push_back(std::move(listener));
    }

private:
    struct Entry {
        Snapshot snapshot;
        std::optional<Check> check;
        std::unique_ptr<Reporter> reporter;
        SteadyTime last_run;
        std::optional<SteadyTime> running_since;  // Set while the check's function runs.
        bool timed_out = false;                   // Of the run that is under way.
        std::stop_source run_stop;
        std::jthread thread;
    };

    class EntryReporter final : public Reporter {
    public:
        EntryReporter(Impl& registry, Entry& entry) : registry_(registry), entry_(entry) {}
        void report(Status status, std::string detail) override {
            registry_.report(entry_, {status, std::move(detail)});
        }

    private:
        Impl& registry_;
        Entry& entry_;
    };

    // What a run came to.
    struct Finding {
        CheckResult result;
        Failure failure = Failure::none;  // How the check failed, where it did not say itself.
    };

    void report(Entry& entry, CheckResult result) {
        {
            const std::lock_guard lock(mutex_);
            set(entry, {std::move(result)}, std::chrono::milliseconds{0});
        }
        tell_listeners();
    }

    Entry& make_entry(const std::string& name, bool readiness) {
        auto entry = std::make_unique<Entry>();
        entry->snapshot.name = name;
        entry->snapshot.readiness = readiness;
        entry->snapshot.since = clock_.now();
        entry->snapshot.checked = clock_.now();
        entry->last_run = clock_.steady_now();
        return *entries_.emplace(name, std::move(entry)).first->second;
    }

    void start_polling(Entry& entry) {
        entry.last_run = clock_.steady_now();
        entry.thread = std::jthread([this, &entry](std::stop_token stop) { poll(entry, stop); });
        if (!timer_.joinable()) {
            timer_ = std::jthread([this](std::stop_token stop) { watch_time(stop); });
        }
    }

    void poll(Entry& entry, const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const SteadyTime began = clock_.steady_now();
            std::stop_source run_stop;
            {
                const std::lock_guard lock(mutex_);
                entry.running_since = began;
                entry.timed_out = false;
                entry.run_stop = run_stop;
            }
            Finding finding;
            {
                const std::stop_callback pass_on(stop, [&] { run_stop.request_stop(); });
                finding = run(*entry.check, run_stop.get_token());
            }
            finish(entry, std::move(finding), clock_.steady_now() - began);
            if (!clock_.sleep_for(entry.check->period, stop)) {
                return;
            }
        }
    }

    static Finding run(const Check& check, const std::stop_token& stop) {
        // The exception's text may quote what a peer sent, so it goes nowhere.
        try {
            return {check.run(stop)};
        } catch (const std::exception&) {
            return {{check.on_failure, "the check threw an exception"}, Failure::exception};
        } catch (...) {
            return {{check.on_failure, "the check threw an exception"}, Failure::exception};
        }
    }

    void finish(Entry& entry, Finding finding, SteadyTime::duration took) {
        {
            const std::lock_guard lock(mutex_);
            entry.running_since.reset();
            if (entry.timed_out) {
                return;  // Already published as a failure; the next run may say better.
            }
            set(entry, std::move(finding), std::chrono::duration_cast<milliseconds>(took));
        }
        tell_listeners();
    }

    // Publishes the failure of runs that take too long, and asks them to end.
    void watch_time(const std::stop_token& stop) {
        SteadyTime next;
        do {
            next = call_time_outs();
            tell_listeners();  // A result may have become stale.
        } while (clock_.sleep_until(next, stop));
    }

    // Returns when to look again. A run that begins meanwhile is seen within a step.
    SteadyTime call_time_outs() {
        constexpr std::chrono::milliseconds kStep{500};
        std::vector<std::stop_source> late;
        const SteadyTime now = clock_.steady_now();
        SteadyTime next = now + kStep;
        {
            const std::lock_guard lock(mutex_);
            for (auto& [name, entry] : entries_) {
                if (!entry->running_since || entry->timed_out) {
                    continue;
                }
                const SteadyTime due = *entry->running_since + entry->check->timeout;
                if (due > now) {
                    next = std::min(next, due);
                    continue;
                }
                entry->timed_out = true;
                set(*entry, {{entry->check->on_failure, "timed out"}, Failure::timeout},
                    entry->check->timeout);
                late.push_back(entry->run_stop);
            }
        }
        // Outside the lock: what the check has registered for its stop runs here.
        for (auto& run_stop : late) {
            run_stop.request_stop();
        }
        return next;
    }

    // The caller holds mutex_, and calls `tell_listeners` without it.
    void set(Entry& entry, Finding finding, std::chrono::milliseconds took) {
        Snapshot& snapshot = entry.snapshot;
        CheckResult& result = finding.result;
        const bool changed = snapshot.status != result.status;
        entry.last_run = clock_.steady_now();
        snapshot.checked = clock_.now();
        snapshot.duration = took;
        snapshot.detail = std::move(result.detail);
        if (finding.failure == Failure::none && result.status != Status::healthy) {
            finding.failure = Failure::reported;
        }
        if (finding.failure != Failure::none) {
            snapshot.last_failure = finding.failure;
            snapshot.last_failed_at = snapshot.checked;
        }
        if (changed) {
            snapshot.since = snapshot.checked;
            snapshot.status = result.status;
        }
    }

    void tell_listeners() {
        const std::lock_guard notify(notify_mutex_);
        if (listeners_.empty()) {
            return;
        }
        const bool now_ready = ready();
        if (now_ready == last_ready_) {
            return;
        }
        last_ready_ = now_ready;
        for (const auto& listener : listeners_) {
            listener(now_ready);
        }
    }

    // The entry as it counts now: a polled check that has not run for long is unhealthy.
    [[nodiscard]] Snapshot seen(const Entry& entry) const {
        Snapshot snapshot = entry.snapshot;
        if (is_stale(entry)) {
            if (snapshot.status != Status::unhealthy) {
                snapshot.status = Status::unhealthy;
                snapshot.since = snapshot.checked + entry.check->period * kPeriodsUntilStale;
            }
            snapshot.detail = "stale: older than three periods";
            snapshot.last_failure = Failure::stale;
            snapshot.last_failed_at = clock_.now();
        }
        return snapshot;
    }

    [[nodiscard]] bool is_stale(const Entry& entry) const {
        return entry.check &&
               clock_.steady_now() - entry.last_run > entry.check->period * kPeriodsUntilStale;
    }

    [[nodiscard]] bool ready_locked() const {
        return std::ranges::all_of(entries_, [this](const auto& named) {
            const Entry& entry = *named.second;
            return !entry.snapshot.readiness ||
                   (entry.snapshot.status != Status::unhealthy && !is_stale(entry));
        });
    }

    Clock& clock_;
    // Held while threads are started or stopped; taken before mutex_.
    std::mutex lifecycle_mutex_;
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::map<std::string, std::unique_ptr<Entry>> entries_;
    std::set<std::string> refused_;
    bool running_ = false;
    // Guarded by notify_mutex_, which is taken before mutex_.
    std::mutex notify_mutex_;
    std::vector<std::function<void(bool)>> listeners_;
    bool last_ready_ = false;
    // Guarded by mutex_; last, because the thread uses the rest.
    std::jthread timer_;
};

Registry::Registry(Clock& clock) : impl_(std::make_unique<Impl>(clock)) {}
Registry::~Registry() = default;

Result<void> Registry::add(Check check) {
    return impl_->add(std::move(check));
}
std::vector<std::string> Registry::refused_names() const {
    return impl_->refused_names();
}
Reporter& Registry::reporter(std::string name, bool readiness) {
    return impl_->reporter(std::move(name), readiness);
}
void Registry::start() {
    impl_->start();
}
void Registry::stop() {
    impl_->stop();
}
std::vector<Snapshot> Registry::snapshot() const {
    return impl_->snapshot();
}

Status Registry::overall() const {
    Status worst = Status::healthy;
    for (const Snapshot& snapshot : impl_->snapshot()) {
        worst = std::max(worst, snapshot.status);
    }
    return worst;
}

bool Registry::ready() const {
    return impl_->ready();
}
void Registry::on_ready_change(std::function<void(bool)> listener) {
    impl_->on_ready_change(std::move(listener));
}

}  // namespace gantry::health
