// Tests to hold, Channel.

#include "gantry/channel/channel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <atomic>
#include <latch>
#include <numeric>
#include <thread>
#include <vector>

namespace gantry::conformance {
namespace {

using namespace std::chrono_literals;
using channel::FullMode;
using channel::ReadEnd;
using channel::WriteOutcome;
using testing::ElementsAre;
using testing::ElementsAreArray;
using Ints = channel::Channel<int>;

constexpr std::array kCapacities = {1, 10, 10'000};

std::vector<int> drain(Ints& channel) {
    std::vector<int> items;
    while (auto item = channel.try_read()) {
        items.push_back(*item);
    }
    return items;
}

// The whole numbers from `first`.
std::vector<int> numbers(int first, int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), first);
    return all;
}

std::stop_token fired() {
    std::stop_source source;
    source.request_stop();
    return source.get_token();
}

struct Overfilled {
    std::vector<int> inside;
    std::vector<int> dropped;
};

// What becomes of the numbers from 0 to capacity + 1.
Overfilled overfill(FullMode mode, int capacity) {
    Overfilled result;
    Ints* that = nullptr;
    Ints channel({.capacity = static_cast<std::size_t>(capacity),
                  .full_mode = mode,
                  .on_drop = [&](int&& item) {
                      EXPECT_EQ(that->depth(), capacity);  // The lock is free.
                      result.dropped.push_back(item);
                  }});
    that = &channel;
    for (const int item : numbers(0, capacity + 2)) {
        EXPECT_EQ(channel.write(item, {}), WriteOutcome::written);
    }
    result.inside = drain(channel);
    return result;
}

TEST(Channel, WaitHoldsTheWriterBackAt1And10And10000) {
    for (const int capacity : kCapacities) {
        Ints channel({.capacity = static_cast<std::size_t>(capacity)});
        for (const int item : numbers(0, capacity)) {
            EXPECT_EQ(channel.write(item, {}), WriteOutcome::written);
        }
        EXPECT_EQ(channel.try_write(-1), WriteOutcome::full);
        EXPECT_EQ(channel.write(-1, {}, Deadline::after(1ms)), WriteOutcome::timed_out);
        {
            const std::jthread writer(
                [&] { EXPECT_EQ(channel.write(capacity, {}), WriteOutcome::written); });
            EXPECT_EQ(channel.read({}), 0);
        }
        EXPECT_THAT(drain(channel), ElementsAreArray(numbers(1, capacity)));
    }
}

TEST(Channel, DropOldestKeepsTheLatestAt1And10And10000) {
    for (const int capacity : kCapacities) {
        const auto result = overfill(FullMode::drop_oldest, capacity);
        EXPECT_EQ(result.inside, numbers(2, capacity));
        EXPECT_THAT(result.dropped, ElementsAre(0, 1));
    }
}

TEST(Channel, DropNewestReplacesTheLastAt1And10And10000) {
    for (const int capacity : kCapacities) {
        const auto result = overfill(FullMode::drop_newest, capacity);
        auto expected = numbers(0, capacity);
        expected.back() = capacity + 1;
        EXPECT_EQ(result.inside, expected);
        EXPECT_THAT(result.dropped, ElementsAre(capacity - 1, capacity));
    }
}

TEST(Channel, DropWriteKeepsWhatIsInsideAt1And10And10000) {
    for (const int capacity : kCapacities) {
        const auto result = overfill(FullMode::drop_write, capacity);
        EXPECT_EQ(result.inside, numbers(0, capacity));
        EXPECT_THAT(result.dropped, ElementsAre(capacity, capacity + 1));
    }
}

TEST(Channel, DropNewestOverARingWrap) {
    constexpr int kCapacity = 4;
    // The first item inside stands at each place that a ring of this size may have.
    for (int begin = 0; begin < 3 * kCapacity; ++begin) {
        std::vector<int> dropped;
        Ints channel({.capacity = kCapacity,
                      .full_mode = FullMode::drop_newest,
                      .on_drop = [&](int&& item) { dropped.push_back(item); }});
        for (int i = 0; i < begin; ++i) {
            channel.try_write(-1);
            EXPECT_EQ(channel.try_read(), -1);
        }
        for (const int item : numbers(0, 7)) {
            channel.try_write(item);
        }
        EXPECT_EQ(channel.try_read(), 0);
        channel.try_write(7);
        channel.try_write(8);
        EXPECT_THAT(dropped, ElementsAre(3, 4, 5, 7));
        EXPECT_THAT(drain(channel), ElementsAre(1, 2, 6, 8));
    }
}

TEST(Channel, CallbackWritesFromAnotherThread) {
    Ints* that = nullptr;
    std::vector<int> dropped;
    Ints channel({.capacity = 2, .full_mode = FullMode::drop_oldest, .on_drop = [&](int&& item) {
                      dropped.push_back(item);
                      if (item == 0) {
                          // Were the lock held here, this would never end.
                          const std::jthread writer([&] { that->try_write(100); });
                      }
                  }});
    that = &channel;
    for (const int item : {0, 1, 2}) {
        channel.try_write(item);
    }
    EXPECT_THAT(dropped, ElementsAre(0, 1));
    EXPECT_THAT(drain(channel), ElementsAre(2, 100));
}

TEST(Channel, CloseWakesWaitingReaders) {
    // Often, so that a reader waits already at many of the closes.
    for (int round = 0; round < 100; ++round) {
        Ints channel;
        std::latch ready(4);
        std::vector<std::jthread> readers;
        for (int i = 0; i < 4; ++i) {
            readers.emplace_back([&, many = i % 2 == 1] {
                ready.count_down();
                if (many) {
                    EXPECT_EQ(channel.read_many(8, {}).error(), ReadEnd::closed);
                } else {
                    EXPECT_EQ(channel.read({}).error(), ReadEnd::closed);
                }
            });
        }
        ready.wait();
        channel.close();
    }
}

TEST(Channel, CloseWithAnErrorReachesWaitingReadersAndWriters) {
    for (int round = 0; round < 100; ++round) {
        Ints empty;
        Ints full({.capacity = 1});
        full.try_write(1);
        std::latch ready(2);
        {
            const std::jthread reader([&] {
                ready.count_down();
                EXPECT_EQ(empty.read({}).error(), ReadEnd::closed);
                EXPECT_EQ(empty.error()->message, "broker gone");
            });
            const std::jthread writer([&] {
                ready.count_down();
                EXPECT_EQ(full.write(2, {}), WriteOutcome::closed);
                EXPECT_EQ(full.error()->message, "broker gone");
            });
            ready.wait();
            for (Ints* channel : {&empty, &full}) {
                channel->close(Error{Code::unavailable, "broker gone", {}, {}});
            }
        }
        EXPECT_THAT(drain(full), ElementsAre(1));
    }
}

TEST(Channel, DrainsAndIsThenClosed) {
    Ints channel;
    for (const int item : {1, 2, 3}) {
        channel.try_write(item);
    }
    channel.close();
    channel.close();
    EXPECT_EQ(channel.write(4, {}), WriteOutcome::closed);
    EXPECT_EQ(channel.try_write(4), WriteOutcome::closed);
    EXPECT_EQ(channel.read({}), 1);
    EXPECT_THAT(*channel.read_many(8, {}), ElementsAre(2, 3));
    EXPECT_EQ(channel.read({}).error(), ReadEnd::closed);
    EXPECT_EQ(channel.read_many(8, {}).error(), ReadEnd::closed);
    EXPECT_EQ(channel.try_read().error(), ReadEnd::closed);
}

TEST(Channel, PreCancelledReadsFailEvenWithData) {
    Ints channel;
    channel.try_write(1);
    EXPECT_EQ(channel.read(fired()).error(), ReadEnd::cancelled);
    EXPECT_EQ(channel.read_many(5, fired()).error(), ReadEnd::cancelled);
    EXPECT_EQ(channel.write(2, fired()), WriteOutcome::cancelled);
    EXPECT_THAT(drain(channel), ElementsAre(1));
}

// The sum of everything that `writers` times the numbers from 1 to `items` brought to the readers.
long crowd(int writers, int readers, int items) {
    Ints channel({.capacity = 16});
    std::atomic<long> sum = 0;
    std::latch written(writers);
    std::vector<std::jthread> threads;
    for (int w = 0; w < writers; ++w) {
        threads.emplace_back([&] {
            for (const int item : numbers(1, items)) {
                EXPECT_EQ(channel.write(item, {}), WriteOutcome::written);
            }
            written.count_down();
        });
    }
    for (int r = 0; r < readers; ++r) {
        threads.emplace_back([&, many = r % 2 == 1] {
            while (true) {
                if (many) {
                    const auto taken = channel.read_many(8, {});
                    if (!taken) {
                        return;
                    }
                    sum += std::accumulate(taken->begin(), taken->end(), 0L);
                } else {
                    const auto item = channel.read({});
                    if (!item) {
                        return;
                    }
                    sum += *item;
                }
            }
        });
    }
    written.wait();
    channel.close();
    threads.clear();
    return sum;
}

TEST(Channel, SumsHoldFor1x1And1x10And10x1And10x10) {
    constexpr int kItems = 5'000;
    for (const int writers : {1, 10}) {
        for (const int readers : {1, 10}) {
            EXPECT_EQ(crowd(writers, readers, kItems), writers * (kItems * (kItems + 1L) / 2))
                << writers << "x" << readers;
        }
    }
}

}  // namespace
}  // namespace gantry::conformance
