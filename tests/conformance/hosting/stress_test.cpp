// Tests to hold, Stress: many lives in one process, each stopped at another moment.

#include "stage.hpp"

#include "gantry/hosting/polling_worker.hpp"
#include "gantry/logging/log.hpp"

#include <filesystem>
#include <iterator>

// gcc says it by these macros, clang by __has_feature.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GANTRY_UNDER_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GANTRY_UNDER_SANITIZER
#endif
#endif

namespace gantry::conformance {
namespace {

// A sanitizer makes a life ten to thirty times as long, and finds a race or a leak in the first
// hundreds or not at all; the plain build counts all of them.
#ifdef GANTRY_UNDER_SANITIZER
constexpr int kCycles = 500;
#else
constexpr int kCycles = 10'000;
#endif

class Polling final : public hosting::PollingWorker {
public:
    explicit Polling(hosting::Context& context) : PollingWorker("polling", context, {}) {}
    ~Polling() override { join(); }

protected:
    Result<Next> run_once(std::stop_token) override { return Next::wait; }
};

std::ptrdiff_t entries(const char* folder) {
    return std::distance(std::filesystem::directory_iterator(folder), {});
}

// The first cycle stops at once, the next a little later, and so on.
void live_once(int cycle) {
    Process process;
    hosting::HostBuilder builder;
    ASSERT_TRUE(process.health.add({.name = "db", .run = [](auto) -> health::CheckResult {
                                        return {health::Status::healthy, "up"};
                                    }}));
    const auto loop = [&](const std::string& name, Loop::Body body,
                          hosting::FaultPolicy policy = {}) {
        builder.add(
            name, [&, name, body] { return std::make_unique<Loop>(name, process.context, body); },
            policy);
    };
    loop("waiting", [](std::stop_token stop) -> Result<void> {
        wait_for(stop);
        return fail(Code::cancelled, "stopped");
    });
    loop("ending", [](std::stop_token) -> Result<void> { return {}; },
         {.on_return = hosting::OnEnd::restart, .max_restarts = 1000});
    builder.add("polling", [&] { return std::make_unique<Polling>(process.context); });
    auto host = hosting::Host::create(std::move(builder), {}, process.context);
    ASSERT_TRUE(host);
    const std::jthread stopper([&process, cycle] {
        for (int i = 0; i < cycle % 40; ++i) {
            std::this_thread::yield();
            process.clock.advance(20ms);
        }
        process.lifetime.stop("test");
    });
    ASSERT_EQ((*host)->run(), hosting::kExitClean);
}

TEST(Stress, TenThousandStartStopCyclesLeakNoThreadAndNoFile) {
    logging::set_level(logging::Level::error);
    // The first is not counted: with it a sanitizer may start a thread of its own.
    live_once(0);
    const auto files = entries("/proc/self/fd");
    const auto threads = entries("/proc/self/task");
    for (int cycle = 1; cycle < kCycles && !HasFailure(); ++cycle) {
        live_once(cycle);
    }
    // A joined thread may be seen for a moment longer.
    while (entries("/proc/self/task") > threads) {
        std::this_thread::yield();
    }
    EXPECT_EQ(entries("/proc/self/fd"), files);
    logging::set_level(logging::Level::info);
}

}  // namespace
}  // namespace gantry::conformance
