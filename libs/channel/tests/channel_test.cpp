#include "gantry/channel/channel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <atomic>
#include <latch>
#include <memory>
#include <numeric>
#include <thread>
#include <tuple>

namespace gantry::channel {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using Ints = Channel<int>;

std::stop_token fired() {
    std::stop_source source;
    source.request_stop();
    return source.get_token();
}

std::vector<int> drain(Ints& channel) {
    std::vector<int> items;
    while (auto item = channel.try_read()) {
        items.push_back(*item);
    }
    return items;
}

TEST(Channel, DeliversInTheOrderOfWrites) {
    Ints channel({.capacity = 3});
    for (const int i : {1, 2, 3}) {
        EXPECT_EQ(channel.try_write(i), WriteOutcome::written);
    }
    EXPECT_EQ(channel.try_write(4), WriteOutcome::full);
    EXPECT_EQ(channel.depth(), 3U);
    EXPECT_THAT(drain(channel), ElementsAre(1, 2, 3));
    EXPECT_EQ(channel.try_read().error(), ReadEnd::empty);
}

TEST(Channel, CarriesItemsThatOnlyMove) {
    Channel<std::unique_ptr<int>> channel;
    EXPECT_EQ(channel.write(std::make_unique<int>(7), {}), WriteOutcome::written);
    EXPECT_EQ(**channel.read({}), 7);
}

class FullModes : public testing::TestWithParam<std::size_t> {
protected:
    // Fills to capacity + 2 and returns what is inside; what was dropped is in dropped_.
    std::vector<int> overfill(FullMode mode) {
        Ints channel({.capacity = GetParam(), .full_mode = mode, .on_drop = [&](int&& item) {
                          EXPECT_GT(channel_->depth(), 0U);  // The lock is free.
                          dropped_.push_back(item);
                      }});
        channel_ = &channel;
        const int count = static_cast<int>(GetParam()) + 2;
        for (int i = 0; i < count; ++i) {
            EXPECT_EQ(channel.try_write(i), WriteOutcome::written);
        }
        return drain(channel);
    }
    Ints* channel_ = nullptr;
    std::vector<int> dropped_;
};

TEST_P(FullModes, DropOldestKeepsTheLatest) {
    const int capacity = static_cast<int>(GetParam());
    std::vector<int> expected(GetParam());
    std::iota(expected.begin(), expected.end(), 2);
    EXPECT_EQ(overfill(FullMode::drop_oldest), expected);
    EXPECT_THAT(dropped_, ElementsAre(0, 1));
    EXPECT_EQ(expected.back(), capacity + 1);
}

TEST_P(FullModes, DropNewestReplacesTheLast) {
    const int capacity = static_cast<int>(GetParam());
    std::vector<int> expected(GetParam());
    std::iota(expected.begin(), expected.end(), 0);
    expected.back() = capacity + 1;
    EXPECT_EQ(overfill(FullMode::drop_newest), expected);
    EXPECT_THAT(dropped_, ElementsAre(capacity - 1, capacity));
}

TEST_P(FullModes, DropWriteKeepsWhatIsInside) {
    const int capacity = static_cast<int>(GetParam());
    std::vector<int> expected(GetParam());
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(overfill(FullMode::drop_write), expected);
    EXPECT_THAT(dropped_, ElementsAre(capacity, capacity + 1));
}

INSTANTIATE_TEST_SUITE_P(Capacities, FullModes, testing::Values(1, 10, 10'000));

TEST(Channel, ReadFailsWhenCancelledBeforeEvenWithData) {
    Ints channel;
    channel.try_write(1);
    EXPECT_EQ(channel.read(fired()).error(), ReadEnd::cancelled);
    EXPECT_EQ(channel.read_many(5, fired()).error(), ReadEnd::cancelled);
    EXPECT_EQ(channel.write(2, fired()), WriteOutcome::cancelled);
    EXPECT_THAT(drain(channel), ElementsAre(1));
}

TEST(Channel, WaitsEndAtTheirDeadline) {
    Ints channel({.capacity = 1});
    EXPECT_EQ(channel.read({}, Deadline::after(1ms)).error(), ReadEnd::timed_out);
    channel.try_write(1);
    EXPECT_EQ(channel.write(2, {}, Deadline::after(1ms)), WriteOutcome::timed_out);
    EXPECT_THAT(drain(channel), ElementsAre(1));
}

TEST(Channel, CancelledPendingWriteNeverDelivers) {
    Ints channel({.capacity = 1});
    channel.try_write(1);
    std::stop_source stop;
    std::jthread writer(
        [&] { EXPECT_EQ(channel.write(2, stop.get_token()), WriteOutcome::cancelled); });
    stop.request_stop();
    writer.join();
    EXPECT_THAT(drain(channel), ElementsAre(1));
}

TEST(Channel, CancelledReaderDoesNotSwallowTheNextItem) {
    for (int round = 0; round < 200; ++round) {
        Ints channel;
        std::stop_source stop;
        std::atomic<int> got = 0;
        std::jthread cancelled([&] { got += channel.read(stop.get_token()) ? 1 : 0; });
        std::jthread patient([&] { got += channel.read({}) ? 1 : 0; });
        std::jthread writer([&] { channel.try_write(1); });
        stop.request_stop();
        writer.join();
        cancelled.join();
        channel.close();
        patient.join();
        EXPECT_EQ(got, 1);
    }
}

TEST(Channel, CancelledWriterDoesNotSwallowTheRoom) {
    for (int round = 0; round < 200; ++round) {
        Ints channel({.capacity = 1});
        channel.try_write(0);
        std::stop_source stop;
        std::jthread cancelled([&] { channel.write(1, stop.get_token()); });
        std::jthread patient([&] { EXPECT_EQ(channel.write(2, {}), WriteOutcome::written); });
        std::jthread reader([&] { EXPECT_EQ(channel.read({}), 0); });
        stop.request_stop();
        reader.join();
        cancelled.join();
        // Had the cancelled one got in first, the next read makes room as well.
        while (channel.read({}) != 2) {
        }
    }
}

TEST(Channel, CloseLetsReadersDrainAndTellsWhy) {
    Ints channel;
    channel.try_write(1);
    channel.close(Error{Code::unavailable, "broker gone", {}, {}});
    channel.close();
    EXPECT_EQ(channel.try_write(2), WriteOutcome::closed);
    EXPECT_EQ(*channel.read({}), 1);
    EXPECT_EQ(channel.read({}).error(), ReadEnd::closed);
    EXPECT_EQ(channel.error()->message, "broker gone");
}

TEST(Channel, CloseWakesWaitingReadersAndWriters) {
    Ints empty;
    Ints full({.capacity = 1});
    full.try_write(1);
    std::jthread reader([&] { EXPECT_EQ(empty.read({}).error(), ReadEnd::closed); });
    std::jthread writer([&] { EXPECT_EQ(full.write(2, {}), WriteOutcome::closed); });
    empty.close();
    full.close();
}

TEST(Channel, ReadManyTakesWhatIsThere) {
    Ints channel;
    for (const int i : {1, 2, 3}) {
        channel.try_write(i);
    }
    EXPECT_THAT(*channel.read_many(2, {}), ElementsAre(1, 2));
    EXPECT_THAT(*channel.read_many(2, {}), ElementsAre(3));
}

TEST(Channel, GrowsBeyondItsFirstPlacesInOrder) {
    Ints channel({.capacity = Ints::kUnbounded});
    int written = 0;
    int read = 0;
    // Wraps around before each growth.
    for (int round = 0; round < 40; ++round) {
        for (int i = 0; i < 100; ++i) {
            EXPECT_EQ(channel.try_write(written++), WriteOutcome::written);
        }
        for (int i = 0; i < 60; ++i) {
            EXPECT_EQ(*channel.try_read(), read++);
        }
    }
    EXPECT_EQ(channel.depth(), 1600U);
    for (const int item : drain(channel)) {
        EXPECT_EQ(item, read++);
    }
    EXPECT_EQ(read, written);
}

TEST(Channel, DropNewestReplacesTheLastAlsoWhereTheRingBeginsAnew) {
    Ints channel({.capacity = 4, .full_mode = FullMode::drop_newest});
    for (int start = 0; start < 9; ++start) {
        for (int i = 0; i < 6; ++i) {
            channel.try_write(i);
        }
        EXPECT_THAT(drain(channel), ElementsAre(0, 1, 2, 5));
        channel.try_write(-1);
        EXPECT_EQ(*channel.try_read(), -1);
    }
}

TEST(Channel, ACallbackMayWriteFromAnotherThreadMeanwhile) {
    Ints* inside = nullptr;
    std::vector<int> dropped;
    Ints channel({.capacity = 2, .full_mode = FullMode::drop_oldest, .on_drop = [&](int&& item) {
                      dropped.push_back(item);
                      if (item == 0) {
                          std::jthread([&] { inside->try_write(100); }).join();
                      }
                  }});
    inside = &channel;
    for (const int i : {0, 1, 2}) {
        channel.try_write(i);
    }
    EXPECT_THAT(dropped, ElementsAre(0, 1));
    EXPECT_THAT(drain(channel), ElementsAre(2, 100));
}

TEST(Channel, DestroysWhatNobodyTook) {
    const auto item = std::make_shared<int>(1);
    {
        Channel<std::shared_ptr<int>> channel;
        channel.try_write(item);
        channel.try_write(item);
        EXPECT_EQ(**channel.try_read(), 1);
        EXPECT_EQ(item.use_count(), 2);
    }
    EXPECT_EQ(item.use_count(), 1);
}

TEST(Channel, EveryWaitingReaderGetsOneOfABurst) {
    for (int round = 0; round < 100; ++round) {
        Ints channel;
        std::vector<std::jthread> readers;
        std::atomic<int> sum = 0;
        for (int r = 0; r < 4; ++r) {
            readers.emplace_back([&] { sum += *channel.read({}); });
        }
        for (const int i : {1, 2, 3, 4}) {
            channel.try_write(i);
        }
        readers.clear();
        EXPECT_EQ(sum, 10);
    }
}

TEST(Channel, EveryWaitingWriterGetsInWhenManyPlacesAreFreed) {
    for (int round = 0; round < 100; ++round) {
        Ints channel({.capacity = 4});
        for (int i = 0; i < 4; ++i) {
            channel.try_write(0);
        }
        std::vector<std::jthread> writers;
        for (int w = 0; w < 4; ++w) {
            writers.emplace_back([&] { channel.write(1, {}); });
        }
        std::size_t taken = 0;
        while (taken < 4) {
            taken += channel.read_many(4 - taken, {})->size();
        }
        writers.clear();
        EXPECT_EQ(channel.depth(), 4U);
    }
}

class RecordingMeter final : public Meter {
public:
    void attach(std::function<std::size_t()> depth, std::size_t capacity) override {
        depth_ = std::move(depth);
        capacity_ = capacity;
    }
    void detach() override { depth_ = nullptr; }
    void item_waited(std::chrono::nanoseconds) override { ++items_; }
    void writer_waited(std::chrono::nanoseconds) override { ++writers_; }
    void dropped() override { ++dropped_; }

    std::function<std::size_t()> depth_;
    std::size_t capacity_ = 0;
    int items_ = 0;
    int writers_ = 0;
    int dropped_ = 0;
};

TEST(Channel, AMeterSeesDepthWaitsAndDrops) {
    const auto meter = std::make_shared<RecordingMeter>();
    {
        Ints channel({.capacity = 100, .full_mode = FullMode::drop_oldest, .meter = meter});
        EXPECT_EQ(meter->capacity_, 100U);
        for (int i = 0; i < 101; ++i) {
            channel.try_write(i);
        }
        EXPECT_EQ(meter->depth_(), 100U);
        EXPECT_EQ(meter->dropped_, 1);
        drain(channel);
        EXPECT_EQ(meter->items_, 1);
        EXPECT_EQ(meter->writers_, 0);
        for (int i = 0; i < 101; ++i) {
            channel.try_write(i);
            channel.read_many(1, {});
        }
        EXPECT_GT(meter->items_, 3);
    }
    EXPECT_FALSE(meter->depth_);
    Ints full({.capacity = 1, .meter = meter});
    full.try_write(1);
    EXPECT_EQ(full.write(2, {}, Deadline::after(1ms)), WriteOutcome::timed_out);
    EXPECT_EQ(meter->writers_, 1);
}

class Crowd : public testing::TestWithParam<std::tuple<int, int>> {};

TEST_P(Crowd, EveryItemArrivesOnce) {
    constexpr int kItems = 2'000;
    const auto [writers, readers] = GetParam();
    Ints channel({.capacity = 16});
    std::atomic<long> sum = 0;
    std::latch written(writers);
    {
        std::vector<std::jthread> threads;
        for (int w = 0; w < writers; ++w) {
            threads.emplace_back([&] {
                for (int i = 1; i <= kItems; ++i) {
                    EXPECT_EQ(channel.write(i, {}), WriteOutcome::written);
                }
                written.count_down();
            });
        }
        for (int r = 0; r < readers; ++r) {
            threads.emplace_back([&, many = r % 2 == 1] {
                while (true) {
                    if (many) {
                        const auto items = channel.read_many(8, {});
                        if (!items) {
                            return;
                        }
                        sum += std::accumulate(items->begin(), items->end(), 0L);
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
    }
    EXPECT_EQ(sum, static_cast<long>(writers) * kItems * (kItems + 1) / 2);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Crowd,
                         testing::Values(std::tuple(1, 1), std::tuple(1, 10), std::tuple(10, 1),
                                         std::tuple(10, 10)));

}  // namespace
}  // namespace gantry::channel
