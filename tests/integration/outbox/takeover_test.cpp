#include "bench.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>

namespace gantry::relay {
namespace {

using testing::Bench;
using testing::judge;
using testing::Load;
using testing::Mode;

// The promise is 10 s; a busy machine gets more before the test calls it broken.
constexpr milliseconds kTakeover{20'000};

class Takeover : public ::testing::TestWithParam<Mode> {
protected:
    Bench bench_{GetParam()};

    void await_leader(const testing::RelayProcess& relay) {
        ASSERT_TRUE(Bench::eventually([&] { return relay.logged("\"msg\":\"leading\""); }))
            << relay.log();
    }
};

INSTANTIATE_TEST_SUITE_P(Modes, Takeover, ::testing::Values(Mode::wal, Mode::polling),
                         [](const auto& mode) {
                             return mode.param == Mode::wal ? "Wal" : "Polling";
                         });

TEST_P(Takeover, FollowsAKilledLeader) {
    auto first = bench_.relay();
    await_leader(*first);
    auto second = bench_.relay();
    Load load(bench_.database().url(), bench_.events());
    ASSERT_TRUE(bench_.arrive(300));
    EXPECT_FALSE(second->logged("\"msg\":\"leading\""));
    first->kill();
    ASSERT_TRUE(Bench::eventually([&] { return second->logged("\"msg\":\"leading\""); }, kTakeover))
        << second->log();
    ASSERT_TRUE(Bench::eventually(
        [&] {
            const auto got = bench_.read(bench_.events(), 300);
            return std::ranges::any_of(
                got, [](const auto& one) { return one.header("ce_gantryepoch") == "2"; });
        },
        kTakeover));
    const auto committed = load.stop();
    const auto verdict = judge(bench_.read(bench_.events(), committed));
    EXPECT_EQ(verdict.different, committed) << second->log();
    EXPECT_EQ(verdict.disorder, "");
    RecordProperty("duplicates", static_cast<int>(verdict.duplicates));
}

TEST_P(Takeover, FencesALeaderThatWasFrozen) {
    auto first = bench_.relay();
    await_leader(*first);
    auto second = bench_.relay();
    Load load(bench_.database().url(), bench_.events());
    ASSERT_TRUE(bench_.arrive(300));
    first->signal(SIGSTOP);
    ASSERT_TRUE(Bench::eventually([&] { return second->logged("\"msg\":\"leading\""); }, kTakeover))
        << second->log();
    ASSERT_TRUE(bench_.arrive(bench_.read(bench_.events(), 300).size() + 100)) << second->log();
    first->signal(SIGCONT);
    ASSERT_TRUE(Bench::eventually([&] {
        return first->logged("no longer leading") || first->logged("lost its database");
    })) << first->log();
    const auto committed = load.stop();
    const auto verdict = judge(bench_.read(bench_.events(), committed));
    EXPECT_EQ(verdict.different, committed) << second->log();
    EXPECT_EQ(verdict.disorder, "");
    EXPECT_EQ(bench_.epoch(), 2);
    EXPECT_EQ(first->stop(), 0);
}

TEST_P(Takeover, IsImmediateAfterAGracefulStop) {
    auto first = bench_.relay();
    await_leader(*first);
    auto second = bench_.relay();
    Load load(bench_.database().url(), bench_.events());
    ASSERT_TRUE(bench_.arrive(300));
    ASSERT_TRUE(Bench::eventually([&] { return second->logged("\"msg\":\"started\""); }));
    EXPECT_EQ(first->stop(), 0);
    EXPECT_TRUE(Bench::eventually([&] { return second->logged("\"msg\":\"leading\""); },
                                  milliseconds{4'000}));
    const auto committed = load.stop();
    const auto verdict = judge(bench_.read(bench_.events(), committed));
    EXPECT_EQ(verdict.different, committed) << second->log();
    EXPECT_EQ(verdict.duplicates, 0U);
    EXPECT_EQ(verdict.disorder, "");
}

TEST_P(Takeover, GoesOnFromItsStoredProgress) {
    std::size_t count = 0;
    for (int round = 0; round < 3; ++round) {
        auto relay = bench_.relay();
        for (int i = 0; i < 20; ++i, ++count) {
            bench_.publish("k", "k:" + std::to_string(count));
        }
        ASSERT_TRUE(bench_.arrive(count)) << relay->log();
        // The first start ends when its slot and its checkpoint are there.
        ASSERT_TRUE(Bench::eventually([&] {
            return relay->logged("streaming from the slot") || relay->logged("polling the outbox");
        })) << relay->log();
        ASSERT_EQ(relay->stop(), 0) << relay->log();
        bench_.publish("k", "k:" + std::to_string(count++));
    }
    auto relay = bench_.relay();
    const auto verdict = judge(bench_.read(bench_.events(), count));
    EXPECT_EQ(verdict.different, count) << relay->log();
    EXPECT_EQ(verdict.duplicates, 0U);
    EXPECT_EQ(verdict.disorder, "");
}

TEST_P(Takeover, GoesOnInTheMiddleOfAHugeTransaction) {
    auto relay = bench_.relay({"--relay.inflight_bytes=2MiB"});
    await_leader(*relay);
    bench_.publish_many(50'000);
    ASSERT_TRUE(bench_.arrive(2'000));
    relay->kill();
    relay = bench_.relay();
    const auto verdict = judge(bench_.read(bench_.events(), 50'000, milliseconds{90'000}));
    EXPECT_EQ(verdict.different, 50'000U) << relay->log();
    EXPECT_EQ(verdict.disorder, "");
    RecordProperty("duplicates", static_cast<int>(verdict.duplicates));
}

}  // namespace
}  // namespace gantry::relay
