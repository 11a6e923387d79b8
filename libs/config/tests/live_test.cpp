#include "gantry/config/live.hpp"

#include <gtest/gtest.h>
#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace gantry::config {
namespace {

struct Pair {
    int one = 0;
    int two = 0;
};

TEST(Live, ASnapshotStaysAsItIsWhileAReloadReplacesIt) {
    Live<Pair> live(Pair{1, 1});
    const auto before = live.get();
    live.replace(std::make_shared<const Pair>(Pair{2, 2}));
    EXPECT_EQ(before->one, 1);
    EXPECT_EQ(live.get()->one, 2);
}

TEST(Live, CallbacksSeeTheNewOptionsUntilTheirSubscriptionEnds) {
    Live<Pair> live(Pair{});
    std::vector<int> seen;
    {
        const auto subscription = live.on_change([&](const Pair& now) {
            EXPECT_EQ(live.get()->one, now.one) << "they hold already";
            seen.push_back(now.one);
        });
        live.replace(std::make_shared<const Pair>(Pair{1, 1}));
    }
    live.replace(std::make_shared<const Pair>(Pair{2, 2}));
    EXPECT_EQ(seen, std::vector<int>{1});
}

TEST(Live, AThrowingCallbackKeepsNeitherTheOptionsNorTheOthersBack) {
    Live<Pair> live(Pair{});
    int seen = 0;
    const auto bad = live.on_change([](const Pair&) { throw std::runtime_error("no"); });
    const auto good = live.on_change([&](const Pair& now) { seen = now.one; });
    live.replace(std::make_shared<const Pair>(Pair{3, 3}));
    EXPECT_EQ(seen, 3);
    EXPECT_EQ(live.get()->one, 3);
}

TEST(Live, ASubscriptionMayMoveAndOutliveTheOptions) {
    Live<Pair>::Subscription kept;
    int calls = 0;
    {
        Live<Pair> live(Pair{});
        kept = live.on_change([&](const Pair&) { ++calls; });
        live.replace(std::make_shared<const Pair>(Pair{1, 1}));
    }
    EXPECT_EQ(calls, 1);
}

TEST(Live, ReadersNeverSeeHalfOfAReload) {
    Live<Pair> live(Pair{});
    std::vector<std::jthread> readers;
    std::atomic<bool> torn = false;
    for (int i = 0; i < 4; ++i) {
        readers.emplace_back([&](std::stop_token stop) {
            while (!stop.stop_requested()) {
                const auto now = live.get();
                torn = torn || now->one != now->two;
            }
        });
    }
    for (int i = 1; i <= 2'000; ++i) {
        live.replace(std::make_shared<const Pair>(Pair{i, i}));
    }
    readers.clear();
    EXPECT_FALSE(torn);
    EXPECT_EQ(live.get()->one, 2'000);
}

}  // namespace
}  // namespace gantry::config
