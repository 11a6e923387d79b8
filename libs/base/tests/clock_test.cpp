#include "gantry/base/clock.hpp"

#include "gantry/base/deadline.hpp"
#include "gantry/base/time.hpp"

#include <gtest/gtest.h>
#include <thread>

namespace gantry {
namespace {

using namespace std::chrono_literals;

TEST(FakeClock, WakesASleeperWhenItsTimeComes) {
    FakeClock clock;
    bool came = false;
    std::jthread sleeper([&](std::stop_token stop) { came = clock.sleep_for(500ms, stop); });
    clock.wait_for_sleepers(1);
    clock.advance(499ms);
    clock.advance(1ms);
    sleeper.join();
    EXPECT_TRUE(came);
}

TEST(FakeClock, CountsOnlySleepersWhoseTimeHasNotCome) {
    FakeClock clock;
    int naps = 0;
    std::jthread sleeper([&](std::stop_token stop) {
        while (clock.sleep_for(1s, stop)) {
            ++naps;
        }
    });
    std::jthread other([&](std::stop_token stop) { clock.sleep_for(1h, stop); });
    for (int i = 0; i < 100; ++i) {
        clock.wait_for_sleepers(2);
        EXPECT_EQ(naps, i);  // Both sleep: the nap of the last step is over.
        clock.advance(1s);
    }
}

TEST(Clock, SleepEndsAtOnceWhenStopWasRequested) {
    std::stop_source stop;
    stop.request_stop();
    EXPECT_FALSE(system_clock().sleep_for(1h, stop.get_token()));
    FakeClock fake;
    EXPECT_FALSE(fake.sleep_for(1h, stop.get_token()));
}

TEST(Clock, StopInterruptsASleeper) {
    FakeClock clock;
    bool came = true;
    std::jthread sleeper([&](std::stop_token stop) { came = clock.sleep_for(1h, stop); });
    clock.wait_for_sleepers(1);
    sleeper.request_stop();
    sleeper.join();
    EXPECT_FALSE(came);
}

TEST(Deadline, CountsDownOnItsClock) {
    FakeClock clock;
    const auto deadline = Deadline::after(1s, clock);
    EXPECT_EQ(deadline.remaining(clock), 1s);
    clock.advance(400ms);
    EXPECT_EQ(deadline.remaining(clock), 600ms);
    EXPECT_FALSE(deadline.expired(clock));
    clock.advance(700ms);
    EXPECT_EQ(deadline.remaining(clock), 0ms);
    EXPECT_TRUE(deadline.expired(clock));
    EXPECT_FALSE(Deadline::never().expired(clock));
    EXPECT_EQ(Deadline::never().earlier(deadline), deadline);
}

TEST(Time, FormatsAndReadsRfc3339) {
    const auto at = parse_rfc3339("2026-01-31T02:00:00.125+02:00");
    ASSERT_TRUE(at);
    EXPECT_EQ(format_rfc3339(*at), "2026-01-31T00:00:00.125Z");
    EXPECT_EQ(format_rfc3339_micros(*at), "2026-01-31T00:00:00.125000Z");
    EXPECT_EQ(format_rfc3339(Instant{-1ms}), "1969-12-31T23:59:59.999Z");
}

TEST(Time, RefusesWhatIsNotRfc3339) {
    for (const auto* text :
         {"", "2026-01-31", "2026-02-30T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T00:00:00",
          "2026-01-31T00:00:00.Z", "2026-01-31T00:00:00Zx"}) {
        EXPECT_FALSE(parse_rfc3339(text)) << text;
    }
}

}  // namespace
}  // namespace gantry
