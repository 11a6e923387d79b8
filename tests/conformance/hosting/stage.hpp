#pragma once

#include "gantry/hosting/background_service.hpp"
#include "gantry/hosting/context.hpp"
#include "gantry/hosting/host.hpp"
#include "gantry/metrics/registry.hpp"

#include <gtest/gtest.h>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace gantry::conformance {

using namespace std::chrono_literals;

/// Everything that a host needs, on a fake clock.
struct Process {
    FakeClock clock;
    metrics::Registry metrics;
    health::Registry health{clock};
    health::Watchdog watchdog{clock, {}};
    hosting::Lifetime lifetime;
    hosting::Context context{"test", "0", clock, metrics, health, watchdog, lifetime};
};

/// What happened, in order. Thread-safe.
class Diary {
public:
    void add(std::string entry) {
        const std::lock_guard lock(mutex_);
        entries_.push_back(std::move(entry));
        changed_.notify_all();
    }
    [[nodiscard]] std::vector<std::string> entries() const {
        const std::lock_guard lock(mutex_);
        return entries_;
    }
    /// Waits until there are `count` entries.
    void wait_for(std::size_t count) const {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return entries_.size() >= count; });
    }

private:
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::vector<std::string> entries_;
};

/// A service whose start and stop do as the test says; empty ones succeed at once.
class Scripted final : public hosting::HostedService {
public:
    struct Script {
        std::function<Result<void>(std::stop_token)> start = {};
        std::function<Result<void>(Deadline)> stop = {};
    };
    explicit Scripted(Script script) : script_(std::move(script)) {}
    Result<void> start(std::stop_token aborted) override {
        return script_.start ? script_.start(std::move(aborted)) : Result<void>();
    }
    Result<void> stop(Deadline limit) override {
        return script_.stop ? script_.stop(limit) : Result<void>();
    }

private:
    Script script_;
};

/// A background service whose loop is the test's.
class Loop final : public hosting::BackgroundService {
public:
    using Body = std::function<Result<void>(std::stop_token)>;
    Loop(std::string name, hosting::Context& context, Body body)
        : BackgroundService(std::move(name), context), body_(std::move(body)) {}
    ~Loop() override { join(); }

protected:
    Result<void> execute(std::stop_token stop) override { return body_(std::move(stop)); }

private:
    Body body_;
};

/// Waits until `stop` fires, on no clock.
inline void wait_for(const std::stop_token& stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, stop, [] { return false; });
}

/// One host on a fake clock, composed and run by a test.
class Stage : public testing::Test {
protected:
    /// A service that notes its start and stop and ends them as it is told to.
    std::unique_ptr<Scripted> recorder(const std::string& name, Result<void> start = {},
                                       Result<void> stop = {}) {
        Scripted::Script script;
        script.start = [=, this](std::stop_token) {
            diary_.add("start " + name);
            return start;
        };
        script.stop = [=, this](Deadline) {
            diary_.add("stop " + name);
            return stop;
        };
        return std::make_unique<Scripted>(std::move(script));
    }
    void record(const std::string& name, Result<void> start = {}, Result<void> stop = {}) {
        builder_.add(name, [=, this] { return recorder(name, start, stop); });
    }
    void script(const std::string& name, Scripted::Script script) {
        builder_.add(name, [script] { return std::make_unique<Scripted>(script); });
    }
    void loop(const std::string& name, Loop::Body body, hosting::FaultPolicy policy = {}) {
        builder_.add(
            name,
            [this, name, body] { return std::make_unique<Loop>(name, process_.context, body); },
            policy);
    }
    /// Notes the entry of every phase.
    void record_phases() {
        for (const auto& [phase, name] : {std::pair{hosting::Phase::starting, "starting"},
                                          std::pair{hosting::Phase::started, "started"},
                                          std::pair{hosting::Phase::stopping, "stopping"},
                                          std::pair{hosting::Phase::stopped, "stopped"}}) {
            process_.lifetime.on(phase, [this, name] { diary_.add(name); });
        }
    }
    void stop_when_started() {
        process_.lifetime.on(hosting::Phase::started, [this] { process_.lifetime.stop("test"); });
    }

    std::unique_ptr<hosting::Host> create(hosting::HostOptions options = {}) {
        auto host = hosting::Host::create(std::move(builder_), options, process_.context);
        if (!host) {
            throw std::runtime_error(host.error().message);
        }
        return std::move(*host);
    }
    /// Runs the host's whole life on this thread, while time stands still.
    int run(hosting::HostOptions options = {}) { return create(options)->run(); }

    /// Runs the host on a thread of its own and passes time, while it and its guard sleep, until
    /// it has ended. An exit by force fires `forced_`, with which the services under test end.
    int run_while_time_passes(hosting::HostOptions options = {}, milliseconds step = 50ms) {
        std::atomic<bool> done = false;
        int code = -1;
        const std::jthread runner([&](std::stop_token stop) {
            auto host = create(options);
            host->set_hard_exit([this](int exit_code) {
                forced_with_ = exit_code;
                forced_.request_stop();
            });
            code = host->run();
            host.reset();
            done = true;
            // In place of the two that slept, so that nobody waits for them in vain.
            const std::jthread other([&] { process_.clock.sleep_until(SteadyTime::max(), stop); });
            process_.clock.sleep_until(SteadyTime::max(), stop);
        });
        while (true) {
            process_.clock.wait_for_sleepers(2);
            if (done) {
                return code;
            }
            process_.clock.advance(step);
        }
    }

    [[nodiscard]] SteadyTime now() const { return process_.clock.steady_now(); }

    Process process_;
    Diary diary_;
    hosting::HostBuilder builder_;
    std::stop_source forced_;
    std::atomic<int> forced_with_ = 0;
};

}  // namespace gantry::conformance
