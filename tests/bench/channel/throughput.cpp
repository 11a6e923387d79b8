// How many items a second a channel moves between threads, at capacity 1,024.
//
//     bench_channel [--millions N] [--runs N]
//
// Prints a Markdown table: the median and the best of several runs. Items are 64-bit numbers, every
// call gets a stop token, as in a service. The last rows are no channel: they show what the machine
// itself allows two threads that take turns.

#include "gantry/channel/channel.hpp"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace gantry::channel;
using Items = Channel<std::uint64_t>;
constexpr std::size_t kCapacity = 1'024;

struct Shape {
    const char* name;
    int writers;
    int readers;
    std::size_t batch = 1;  ///< More: the readers use `read_many`.
    FullMode mode = FullMode::wait;
};

// Seconds from the moment that all threads are there until the last one has ended.
double seconds(const std::vector<std::function<void()>>& bodies, const std::function<void()>& end) {
    std::barrier begin(static_cast<std::ptrdiff_t>(bodies.size()) + 1);
    std::vector<std::jthread> threads;
    threads.reserve(bodies.size());
    for (const auto& body : bodies) {
        threads.emplace_back([&begin, &body] {
            begin.arrive_and_wait();
            body();
        });
    }
    begin.arrive_and_wait();
    const auto began = std::chrono::steady_clock::now();
    end();
    threads.clear();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

std::uint64_t drain(Items& channel, std::size_t batch, const std::stop_token& stop) {
    std::uint64_t sum = 0;
    if (batch == 1) {
        while (const auto item = channel.read(stop)) {
            sum += *item;
        }
        return sum;
    }
    while (const auto items = channel.read_many(batch, stop)) {
        for (const std::uint64_t item : *items) {
            sum += item;
        }
    }
    return sum;
}

// Millions of items written a second.
double channel_rate(const Shape& shape, std::uint64_t count) {
    Items channel({.capacity = kCapacity, .full_mode = shape.mode, .on_drop = {}});
    const std::stop_source stop;
    const std::uint64_t each = count / static_cast<std::uint64_t>(shape.writers);
    std::atomic<int> writing = shape.writers;
    std::atomic<std::uint64_t> sum = 0;
    std::vector<std::function<void()>> bodies;
    for (int w = 0; w < shape.writers; ++w) {
        bodies.emplace_back([&] {
            for (std::uint64_t i = 0; i < each; ++i) {
                channel.write(1, stop.get_token());
            }
            if (--writing == 0) {
                channel.close();
            }
        });
    }
    for (int r = 0; r < shape.readers; ++r) {
        bodies.emplace_back([&] { sum += drain(channel, shape.batch, stop.get_token()); });
    }
    const std::uint64_t written = each * static_cast<std::uint64_t>(shape.writers);
    const double took = seconds(bodies, [] {});
    if (shape.mode == FullMode::wait && sum != written) {
        std::fprintf(stderr, "%s: items were lost\n", shape.name);
        std::exit(1);
    }
    return static_cast<double>(written) / took / 1e6;
}

// Millions of times a second that two threads together take one lock for a short moment.
double lock_rate(std::uint64_t count) {
    std::mutex mutex;
    std::uint64_t counter = 0;
    const auto body = [&] {
        for (std::uint64_t i = 0; i < count / 2; ++i) {
            const std::lock_guard lock(mutex);
            ++counter;
        }
    };
    return static_cast<double>(count) / seconds({body, body}, [] {}) / 1e6;
}

// Millions of times a second that a value goes from one core to another.
double hand_over_rate(std::uint64_t count) {
    std::atomic<std::uint64_t> turn = 0;
    const auto body = [&](std::uint64_t parity) {
        return [&turn, count, parity] {
            for (std::uint64_t i = parity; i < count; i += 2) {
                while (turn.load(std::memory_order_acquire) != i) {
                }
                turn.store(i + 1, std::memory_order_release);
            }
        };
    };
    return static_cast<double>(count) / seconds({body(0), body(1)}, [] {}) / 1e6;
}

void row(const char* name, int runs, const std::function<double()>& measure) {
    std::vector<double> rates;
    for (int i = 0; i < runs; ++i) {
        rates.push_back(measure());
    }
    std::ranges::sort(rates);
    std::printf("| %s | %.1f | %.1f |\n", name, rates[rates.size() / 2], rates.back());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t count = 4'000'000;
    int runs = 7;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (std::string_view(argv[i]) == "--millions") {
            count = std::strtoull(argv[i + 1], nullptr, 10) * 1'000'000;
        } else if (std::string_view(argv[i]) == "--runs") {
            runs = std::max(1, std::atoi(argv[i + 1]));
        }
    }
    std::puts("| Channel of 1,024 | M items/s, median | best |\n|---|---|---|");
    constexpr Shape kShapes[] = {
        {"1 writer → 1 reader", 1, 1},
        {"4 → 4", 4, 4},
        {"1 → 1, `read_many` of 64", 1, 1, 64},
        {"4 → 4, `read_many` of 64", 4, 4, 64},
        {"1 → 1, drops the oldest", 1, 1, 1, FullMode::drop_oldest},
        {"1 → 1, drops the newest", 1, 1, 1, FullMode::drop_newest},
        {"1 → 1, drops the write", 1, 1, 1, FullMode::drop_write},
        {"1 → nobody, drops the oldest", 1, 0, 1, FullMode::drop_oldest},
        {"1 → nobody, drops the newest", 1, 0, 1, FullMode::drop_newest},
        {"1 → nobody, drops the write", 1, 0, 1, FullMode::drop_write},
    };
    for (const Shape& shape : kShapes) {
        row(shape.name, runs, [&] { return channel_rate(shape, count); });
    }
    row("for comparison: 2 threads, one `std::mutex`, one addition", runs,
        [&] { return lock_rate(count); });
    row("for comparison: one number, core to core", runs,
        [&] { return hand_over_rate(count / 4); });
}
