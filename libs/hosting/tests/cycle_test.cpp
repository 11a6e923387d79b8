// Many lives in one process, each stopped at another moment: nothing races, nothing leaks.

#include "gantry/hosting/background_service.hpp"
#include "gantry/hosting/host.hpp"
#include "gantry/hosting/polling_worker.hpp"

#include "rig.hpp"

#include <gtest/gtest.h>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

namespace gantry::hosting {
namespace {

class Waiting final : public BackgroundService {
public:
    explicit Waiting(Context& context) : BackgroundService("waiting", context) {}
    ~Waiting() override { join(); }

protected:
    Result<void> execute(std::stop_token stop) override {
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any().wait(lock, stop, [] { return false; });
        return fail(Code::cancelled, "stopped");
    }
};

class Ending final : public BackgroundService {
public:
    explicit Ending(Context& context) : BackgroundService("ending", context) {}
    ~Ending() override { join(); }

protected:
    Result<void> execute(std::stop_token) override { return {}; }
};

class Polling final : public PollingWorker {
public:
    explicit Polling(Context& context) : PollingWorker("polling", context, {}) {}
    ~Polling() override { join(); }

protected:
    Result<Next> run_once(std::stop_token) override { return Next::wait; }
};

std::ptrdiff_t entries(const char* folder) {
    return std::distance(std::filesystem::directory_iterator(folder), {});
}

TEST(Cycles, AStopAtAnyMomentEndsCleanlyAndLeaksNothing) {
    std::ptrdiff_t files = 0;
    std::ptrdiff_t threads = 0;
    for (int cycle = 0; cycle < 400; ++cycle) {
        Rig rig;
        HostBuilder builder;
        ASSERT_TRUE(rig.health.add({.name = "db", .run = [](auto) -> health::CheckResult {
                                        return {health::Status::healthy, "up"};
                                    }}));
        builder.add("waiting", [&] { return std::make_unique<Waiting>(rig.context); });
        builder.add("ending", [&] { return std::make_unique<Ending>(rig.context); },
                    {.on_return = OnEnd::restart, .max_restarts = 1000});
        builder.add("polling", [&] { return std::make_unique<Polling>(rig.context); });
        auto host = Host::create(std::move(builder), {}, rig.context);
        ASSERT_TRUE(host);
        const std::jthread stopper([&rig, cycle] {
            for (int i = 0; i < cycle % 40; ++i) {
                std::this_thread::yield();
                rig.clock.advance(std::chrono::milliseconds{20});
            }
            rig.lifetime.stop("test");
        });
        ASSERT_EQ((*host)->run(), kExitClean);
        host->reset();
        if (cycle == 0) {
            // Not before the first one, with which a sanitizer may start a thread of its own. The
            // stopper may still be there, and nothing else of the cycle.
            files = entries("/proc/self/fd");
            threads = entries("/proc/self/task");
        }
    }
    // A joined thread may be seen for a moment longer.
    while (entries("/proc/self/task") > threads) {
        std::this_thread::yield();
    }
    EXPECT_EQ(entries("/proc/self/fd"), files);
}

}  // namespace
}  // namespace gantry::hosting
