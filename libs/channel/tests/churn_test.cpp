// Channels with many threads at once that write, read, and give up.

#include "gantry/channel/channel.hpp"

#include <gtest/gtest.h>
#include <array>
#include <atomic>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

namespace gantry::channel {
namespace {

using namespace std::chrono_literals;
using Ints = Channel<int>;

TEST(ChannelChurn, OneWritersItemsStayInOrder) {
    constexpr int kItems = 20'000;
    Channel<std::pair<int, int>> channel({.capacity = 8});
    std::vector<std::jthread> writers;
    for (int w = 0; w < 3; ++w) {
        writers.emplace_back([&, w] {
            for (int i = 0; i < kItems; ++i) {
                channel.write({w, i}, {});
            }
        });
    }
    std::array<int, 3> next{};
    for (int i = 0; i < 3 * kItems; ++i) {
        const auto item = channel.read({});
        ASSERT_EQ(item->second, next.at(static_cast<std::size_t>(item->first))++);
    }
}

TEST(ChannelChurn, GrowsWhileOthersRead) {
    constexpr int kItems = 50'000;
    Ints channel({.capacity = Ints::kUnbounded});
    long sum = 0;
    std::jthread reader([&] {
        while (const auto items = channel.read_many(100, {})) {
            sum += std::accumulate(items->begin(), items->end(), 0L);
        }
    });
    for (int i = 1; i <= kItems; ++i) {
        ASSERT_EQ(channel.try_write(i), WriteOutcome::written);
    }
    channel.close();
    reader.join();
    EXPECT_EQ(sum, static_cast<long>(kItems) * (kItems + 1) / 2);
}

TEST(ChannelChurn, WhatIsDroppedAndWhatIsReadIsWhatWasWritten) {
    constexpr int kItems = 5'000;
    for (const FullMode mode :
         {FullMode::drop_newest, FullMode::drop_oldest, FullMode::drop_write}) {
        std::atomic<long> dropped = 0;
        std::atomic<long> read = 0;
        Ints channel(
            {.capacity = 2, .full_mode = mode, .on_drop = [&](int&& item) { dropped += item; }});
        std::vector<std::jthread> readers;
        for (int r = 0; r < 2; ++r) {
            readers.emplace_back([&] {
                while (const auto item = channel.read({})) {
                    read += *item;
                }
            });
        }
        std::vector<std::jthread> writers;
        for (int w = 0; w < 3; ++w) {
            writers.emplace_back([&] {
                for (int i = 1; i <= kItems; ++i) {
                    EXPECT_EQ(channel.write(i, {}), WriteOutcome::written);
                }
            });
        }
        writers.clear();
        channel.close();
        readers.clear();
        EXPECT_EQ(dropped + read, 3L * kItems * (kItems + 1) / 2);
    }
}

/// Tokens that another thread fires at any moment.
class Canceller {
public:
    explicit Canceller(std::size_t places) : sources_(places) {}

    std::stop_token renew(std::size_t place) {
        const std::lock_guard lock(mutex_);
        sources_.at(place) = std::stop_source();
        return sources_.at(place).get_token();
    }

private:
    void run(const std::stop_token& stop) {
        for (std::size_t i = 0; !stop.stop_requested(); ++i) {
            std::stop_source source(std::nostopstate);
            {
                const std::lock_guard lock(mutex_);
                source = sources_.at(i % sources_.size());
            }
            source.request_stop();
            std::this_thread::yield();
        }
    }

    // Guarded by mutex_.
    std::mutex mutex_;
    std::vector<std::stop_source> sources_;
    // Last: it uses the rest.
    std::jthread thread_{[this](std::stop_token stop) { run(stop); }};
};

// Everybody gives up now and then, in every way there is: what was said to be written arrives once,
// and nothing else does.
TEST(ChannelChurn, CallsThatGiveUpLoseNothingAndInventNothing) {
    constexpr int kThreads = 4;
    constexpr int kItems = 1'500;
    Ints channel({.capacity = 2});
    Canceller canceller(2 * kThreads);
    std::atomic<long> written = 0;
    std::atomic<long> read = 0;
    const auto write_all = [&](int w) {
        for (int i = 0; i < kItems; ++i) {
            const int item = w * kItems + i + 1;
            const auto token = canceller.renew(static_cast<std::size_t>(w));
            const auto outcome = i % 3 == 0   ? channel.try_write(item)
                                 : i % 3 == 1 ? channel.write(item, {}, Deadline::after(50us))
                                              : channel.write(item, token);
            written += outcome == WriteOutcome::written ? item : 0;
        }
    };
    const auto read_all = [&](int r) {
        while (true) {
            const auto token = canceller.renew(static_cast<std::size_t>(kThreads + r));
            const auto many = channel.read_many(3, token);
            read += many ? std::accumulate(many->begin(), many->end(), 0L) : 0L;
            const auto one = channel.read({}, Deadline::after(50us));
            read += one ? *one : 0;
            if (!one && one.error() == ReadEnd::closed) {
                return;
            }
        }
    };
    std::vector<std::jthread> writers;
    std::vector<std::jthread> readers;
    for (int i = 0; i < kThreads; ++i) {
        writers.emplace_back([&, i] { write_all(i); });
        readers.emplace_back([&, i] { read_all(i); });
    }
    writers.clear();
    channel.close();
    readers.clear();
    EXPECT_GT(written, 0);
    EXPECT_EQ(read, written);
}

// Long enough for a thread that has begun to wait to be asleep; too short only weakens the test.
void let_it_sleep(const std::atomic<bool>& begun) {
    for (int i = 0; i < 200 || !begun; ++i) {
        std::this_thread::yield();
    }
}

TEST(ChannelChurn, AWakeUpForACancelledReaderGoesToTheNextOne) {
    for (int round = 0; round < 200; ++round) {
        Ints channel;
        std::stop_source stop;
        std::atomic<bool> first = false;
        std::atomic<bool> second = false;
        std::atomic<int> got = 0;
        std::jthread cancelled([&] {
            first = true;
            got += channel.read(stop.get_token()) ? 1 : 0;
        });
        let_it_sleep(first);
        std::jthread patient([&] {
            second = true;
            const auto item = channel.read({}, Deadline::after(5s));
            got += item ? 1 : 0;
        });
        let_it_sleep(second);
        channel.try_write(1);
        stop.request_stop();
        cancelled.join();
        if (got == 1) {
            channel.close();
        }
        patient.join();
        ASSERT_EQ(got, 1);
    }
}

TEST(ChannelChurn, AWakeUpForACancelledWriterGoesToTheNextOne) {
    for (int round = 0; round < 200; ++round) {
        Ints channel({.capacity = 1});
        channel.try_write(0);
        std::stop_source stop;
        std::atomic<bool> first = false;
        std::atomic<bool> second = false;
        std::atomic<int> written = 0;
        std::jthread cancelled([&] {
            first = true;
            written += channel.write(1, stop.get_token()) == WriteOutcome::written ? 1 : 0;
        });
        let_it_sleep(first);
        std::jthread patient([&] {
            second = true;
            const auto outcome = channel.write(2, {}, Deadline::after(5s));
            written += outcome == WriteOutcome::written ? 1 : 0;
        });
        let_it_sleep(second);
        EXPECT_EQ(*channel.try_read(), 0);
        stop.request_stop();
        cancelled.join();
        if (written == 1) {
            channel.close();
        }
        patient.join();
        ASSERT_EQ(written, 1);
    }
}

}  // namespace
}  // namespace gantry::channel
