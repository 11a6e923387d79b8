// Many lives of a host with every ready-made service: nothing of them stays.

#include "gantry/hosting/channel_meter.hpp"
#include "gantry/hosting/cron_worker.hpp"
#include "gantry/hosting/host.hpp"
#include "gantry/hosting/queue_worker.hpp"
#include "gantry/hosting/tcp_server.hpp"

#include "gantry/logging/log.hpp"
#include "rig.hpp"

#include <gtest/gtest.h>
#include <filesystem>
#include <iterator>
#include <thread>

namespace gantry::hosting {
namespace {

std::ptrdiff_t entries(const char* folder) {
    return std::distance(std::filesystem::directory_iterator(folder), {});
}

void live_once(int life) {
    Rig rig;
    channel::Channel<int> items({.capacity = 8, .meter = channel_meter(rig.metrics, "items")});
    HostBuilder builder;
    builder.add_outermost("port", [&] {
        return std::make_unique<TcpServer>(
            "port", rig.context, TcpServer::Options{},
            [](TcpConnection& connection, Scope&) { return connection.wait_for_data(); });
    });
    builder.group("workers", [&](HostBuilder::Group& group) {
        group.add("queue", [&] {
            return std::make_unique<QueueWorker<int>>(
                "queue", rig.context, items, QueueThreads::Options{.threads = 2},
                [](int& item, Scope& scope) -> Result<void> {
                    return item % 2 == 0 ? scope.check() : fail(Code::internal, "odd");
                });
        });
        group.add("cron", [&] {
            return std::make_unique<CronWorker>(
                "cron", rig.context, [](Instant after) { return after + milliseconds{10}; },
                [](Scope&) -> Result<void> { return {}; });
        });
    });
    auto host = Host::create(std::move(builder), {}, rig.context);
    ASSERT_TRUE(host);
    const std::jthread others([&] {
        for (int i = 0; i < life % 30; ++i) {
            (void)items.try_write(i);
            rig.clock.advance(milliseconds{20});
            std::this_thread::yield();
        }
        rig.lifetime.stop("test");
    });
    ASSERT_EQ((*host)->run(), kExitClean);
    EXPECT_NE(rig.metrics.text(), "");
}

TEST(Lives, OfEveryReadyMadeServiceLeaveNoThreadAndNoDescriptor) {
    logging::set_level(logging::Level::error);
    // The first is not counted: with it a sanitizer may start a thread of its own.
    live_once(1);
    const auto files = entries("/proc/self/fd");
    const auto threads = entries("/proc/self/task");
    for (int life = 0; life < 300 && !HasFailure(); ++life) {
        live_once(life);
    }
    // A joined thread may be seen for a moment longer.
    while (entries("/proc/self/task") > threads) {
        std::this_thread::yield();
    }
    EXPECT_EQ(entries("/proc/self/fd"), files);
    logging::set_level(logging::Level::info);
}

}  // namespace
}  // namespace gantry::hosting
