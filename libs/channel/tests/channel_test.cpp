#include "gantry/channel/channel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <array>
#include <atomic>
#include <memory>
#include <thread>

namespace gantry::channel {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using Ints = Channel<int>;

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

}  // namespace
}  // namespace gantry::channel
