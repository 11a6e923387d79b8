// Tests to hold, Health: checks, probes, and what a stalled loop does to them.

#include "http.hpp"
#include "program.hpp"
#include "stage.hpp"

#include "gantry/admin/server.hpp"

#include <gmock/gmock.h>
#include <algorithm>
#include <csignal>
#include <stdexcept>

namespace gantry::conformance {
namespace {

using health::CheckResult;
using health::Status;
using testing::AllOf;
using testing::HasSubstr;

class Health : public Stage {
protected:
    ~Health() override {
        process_.health.stop();
        if (server_) {
            EXPECT_TRUE(server_->stop(Deadline::never()));
        }
    }

    [[nodiscard]] health::Snapshot seen(const std::string& name) const {
        const auto all = process_.health.snapshot();
        const auto found = std::ranges::find(all, name, &health::Snapshot::name);
        return found == all.end() ? health::Snapshot{} : *found;
    }
    // Waits, without sleeping, until the check `name` shows `status`.
    void wait_for_status(const std::string& name, Status status, const std::string& detail) const {
        while (seen(name).status != status || seen(name).detail != detail) {
            std::this_thread::yield();
        }
    }
    // As of a process that has started: the address of its admin port.
    std::string serve() {
        process_.lifetime.enter(hosting::Phase::starting);
        process_.lifetime.enter(hosting::Phase::started);
        server_ = std::make_unique<admin::Server>(admin::Options{.listen = "127.0.0.1:0"},
                                                  process_.context);
        EXPECT_TRUE(server_->start({}));
        return server_->address();
    }

    std::unique_ptr<admin::Server> server_;
};

TEST_F(Health, DuplicateNamesAreRefusedAllListed) {
    const auto check = [](const std::string& name) {
        return health::Check{.name = name, .run = [](auto) { return CheckResult{}; }};
    };
    for (const std::string name : {"db", "kafka", "disk"}) {
        EXPECT_TRUE(process_.health.add(check(name)));
    }
    for (const std::string name : {"kafka", "db"}) {
        const auto again = process_.health.add(check(name));
        ASSERT_FALSE(again);
        EXPECT_EQ(again.error().code, Code::already_exists);
    }
    const auto host = hosting::Host::create(std::move(builder_), {}, process_.context);
    ASSERT_FALSE(host);
    EXPECT_THAT(host.error().message, AllOf(HasSubstr("`db`"), HasSubstr("`kafka`")));
}

TEST_F(Health, ThrowCountsAsTheFailureStatus) {
    ASSERT_TRUE(process_.health.add(
        {.name = "throws",
         .run = [](auto) -> CheckResult { throw std::runtime_error("DOE^JANE"); },
         .on_failure = Status::degraded}));
    process_.health.start();
    wait_for_status("throws", Status::degraded, "the check threw an exception");
}

TEST_F(Health, TimeoutCountsAsTheFailureStatus) {
    ASSERT_TRUE(process_.health.add({.name = "hangs",
                                     .run =
                                         [this](std::stop_token stop) {
                                             process_.clock.sleep_for(1h, stop);
                                             return CheckResult{};
                                         },
                                     .timeout = 1s}));
    process_.health.start();
    process_.clock.wait_for_sleepers(2);
    process_.clock.advance(1s);
    wait_for_status("hangs", Status::unhealthy, "timed out");
    // The run that was too late ends by now; what it says comes too late as well.
    process_.clock.wait_for_sleepers(2);
    wait_for_status("hangs", Status::unhealthy, "timed out");
}

TEST_F(Health, AThousandProbesRunACheckNoMoreOftenThanItsPeriod) {
    std::atomic<int> runs = 0;
    ASSERT_TRUE(process_.health.add({.name = "db",
                                     .run =
                                         [&](auto) {
                                             ++runs;
                                             return CheckResult{Status::healthy, "up"};
                                         },
                                     .readiness = true,
                                     .period = 2s}));
    const auto address = serve();
    process_.health.start();
    wait_for_status("db", Status::healthy, "up");
    for (int i = 0; i < 1'000; ++i) {
        ASSERT_EQ(get(address, "/readyz").status, 200);
        if (i % 100 == 99) {
            process_.clock.wait_for_sleepers(2);
            process_.clock.advance(1s);
        }
    }
    process_.clock.wait_for_sleepers(2);
    // One at once and one every two seconds of ten.
    EXPECT_EQ(runs, 6);
}

TEST_F(Health, StaleIsUnhealthy) {
    ASSERT_TRUE(process_.health.add({.name = "db",
                                     .run = [](auto) { return CheckResult{Status::healthy, "up"}; },
                                     .readiness = true,
                                     .timeout = 1s,
                                     .period = 2s}));
    const auto address = serve();
    process_.health.start();
    wait_for_status("db", Status::healthy, "up");
    // The poller is gone, as if it hung.
    process_.health.stop();
    process_.clock.advance(5s);
    EXPECT_EQ(seen("db").status, Status::healthy);
    EXPECT_EQ(get(address, "/readyz").status, 200);
    process_.clock.advance(1'001ms);
    EXPECT_EQ(seen("db").status, Status::unhealthy);
    EXPECT_EQ(get(address, "/readyz").status, 503);
}

TEST_F(Health, DegradedStaysReady) {
    auto& kafka = process_.health.reporter("kafka", true);
    const auto address = serve();
    kafka.report(Status::degraded, "one broker away");
    EXPECT_EQ(get(address, "/readyz").status, 200);
    EXPECT_EQ(get(address, "/health").status, 200);
    EXPECT_TRUE(process_.context.ready());
    kafka.report(Status::unhealthy, "away");
    EXPECT_EQ(get(address, "/readyz").status, 503);
}

TEST(HealthOfAProcess, StalledLoopTurnsLivezRedAndOnlyIt) {
    Program program(
        {"--work.mode=stuck", "--host.watchdog_limit=200ms", "--host.stop_timeout=300ms"});
    ASSERT_TRUE(program.wait_for(kStarted));
    const auto address = program.admin_address();
    EXPECT_EQ(get(address, "/livez").status, 200);
    const auto began = std::chrono::steady_clock::now();
    while (get(address, "/livez").status == 200) {
        // Its limit is three times 200 ms and the watchdog looks once a second.
        ASSERT_LT(std::chrono::steady_clock::now() - began, 10s);
        std::this_thread::yield();
    }
    EXPECT_EQ(get(address, "/livez").status, 503);
    EXPECT_THAT(get(address, "/livez").body, HasSubstr("worker"));
    EXPECT_EQ(get(address, "/readyz").status, 200);
    EXPECT_EQ(get(address, "/startupz").status, 200);
    const auto metrics = get(address, "/metrics");
    EXPECT_EQ(metrics.status, 200);
    EXPECT_THAT(metrics.body, HasSubstr("gantry_host_loop_misses 1"));
    EXPECT_THAT(get(address, "/health").body, HasSubstr("stalled"));
    // It does not stop either: the process names it.
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(), 124);
    EXPECT_THAT(program.output(), HasSubstr("`worker`"));
}

}  // namespace
}  // namespace gantry::conformance
